"""What a result of each family holds. Every variable is declared once: its axes, its unit and its meaning."""

# ruff: noqa: F401
from interp.kinds.attribution import Entry, Relevance, SourceContributions
from interp.kinds.attribution_graph import AttributionGraph
from interp.kinds.circuit_graph import Circuit
from interp.kinds.circuits import (
    Ablation,
    CircuitAblation,
    CircuitEvidence,
    CircuitGrowth,
    EdgeScores,
    Effects,
    FoundCircuit,
)
from interp.kinds.dictionaries import (
    DictionaryQuality,
    FeatureAblation,
    FeatureActivations,
    FeatureCards,
    FeatureEffects,
    FeatureSources,
    HeadRoles,
)
from interp.kinds.directions import DoseCurve
from interp.kinds.evaluation import Agreement, Faithfulness, MethodScores, Scorecard
from interp.kinds.flow import (
    BlockReplacement,
    InformationPathways,
    LayerAblation,
    LayerRedundancy,
    LayerRemoval,
    PathLengths,
    RepresentationalCollapse,
    SegmentFusion,
    TokenSensitivity,
)
from interp.kinds.geometry import (
    ActivationSparsity,
    FeatureDiversity,
    HeadComposition,
    LayerSimilarity,
    Linearity,
    PositionalVariance,
    PositionContext,
    QKSplit,
    TokenClusters,
)
from interp.kinds.head_patterns import HeadCards, PredicateScores, TextSpans
from interp.kinds.knowledge import BilinearReading, CausalTrace, LossCurvature, MLPMemory, RankOneEdit
from interp.kinds.patterns import AttentionDispersion, AttentionSinks, AttentionSpectrum, HeadRedundancy, LazyLayers
from interp.kinds.probing import DepthRanking, Disentanglement, Inversion, Probes, Recoverability
from interp.kinds.readout import (
    Contributions,
    ExpertRouting,
    HeadScores,
    LayerReadout,
    NeuronContributions,
    Patterns,
    ProgramVariables,
    QueryKey,
    Selections,
)
from interp.kinds.selection import EXTRACTIONS, Extraction
from interp.kinds.special_models import (
    ClusterStates,
    ComputationErrors,
    ConnectivityLearning,
    GradientStepLearning,
    InContextAlgorithms,
    InformationGain,
    KnownNumbers,
    OptimisationCourse,
    SoftmaxHeadLearning,
    WeightProbes,
)
from interp.kinds.tasks import TaskAccuracy
