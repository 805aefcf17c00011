"""Corpora: text from any source, cut into windows of one length, and statistics over them that merge exactly."""

from interp.corpus.document import Document
from interp.corpus.documents import documents
from interp.corpus.gathering import gather
from interp.corpus.jobs import job
from interp.corpus.sums import Statistic, Sums
from interp.corpus.windows import Windows

__all__ = ["Document", "Statistic", "Sums", "Windows", "documents", "gather", "job"]
