"""What networks are trained on: data sets by name or of one's own, and the order in which a run sees them."""

from jaxgrad.training.data.dataset import Dataset as Dataset
from jaxgrad.training.data.dataset import batches as batches
from jaxgrad.training.data.dataset import order as order
from jaxgrad.training.data.sources import IN_FOLDERS as IN_FOLDERS
from jaxgrad.training.data.sources import NAMES as NAMES
from jaxgrad.training.data.sources import check as check
from jaxgrad.training.data.sources import load as load
from jaxgrad.training.data.sources import located as located
from jaxgrad.training.data.sources import short as short
from jaxgrad.training.data.text import is_text as is_text

__all__ = ["IN_FOLDERS", "NAMES", "Dataset", "batches", "check", "is_text", "load", "located", "order", "short"]
