"""Encode every pin's picture."""

from pinsage.catalog.catalog import Catalog
from pinsage.features.picture_features import write_picture_features
from pinsage.features.vector_cache import VectorCache
from pinsage.features.visual import picture_encoder
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork


def featurize_visual(work: StageWork) -> Facts:
    """Write the picture features of every pin; return how many pictures were encoded, cached and unreadable."""
    settings = work.settings.visual
    encoder = picture_encoder(settings)
    cache = VectorCache(work.home / "cache" / "visual" / encoder.name, dim=encoder.dim)
    catalog = Catalog.open(work.inputs["ingest"])
    return write_picture_features(catalog, encoder, settings, cache=cache, folder=work.out)
