"""What is measured while a small model learns."""

from interp.core.result import Result
from interp.core.variables import METHOD, Variable


class LearningCurves(Result):
    """The log of a training: losses on test inputs in all and by class, and what else was measured, by step."""

    loss = Variable("step", "mean loss on test inputs", METHOD)
    training_loss = Variable("step", "loss on the step's own batch; NaN before the first", METHOD)
    accuracy = Variable("step", "share of counted positions that are right", optional=True)
    gradient_norm = Variable("step", "norm of the gradient before it is cut; NaN before the first step")
    sharpness = Variable(
        "step",
        "eigenvalue of the loss's Hessian on test inputs that is largest by size; NaN where not measured",
        optional=True,
    )
    class_loss = Variable("step class", "mean loss of a class of positions; NaN of none", METHOD, table="classes")
    class_accuracy = Variable(
        "step class", "share of a class that is right; NaN of none", table="classes", optional=True
    )
    attention_entropy = Variable(
        "step layer head", "mean entropy of a query's pattern", "nats", table="heads", optional=True
    )
    predictor_loss = Variable("method", "loss of a predictor that learns nothing", METHOD, table="predictors")
