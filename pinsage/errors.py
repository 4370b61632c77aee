"""Errors that reach a person: one sentence of fact with both values, one of advice."""


class PinSageError(Exception):
    """Something stopped the pipeline. A retry may help, unless a subclass says otherwise."""

    retry_can_help = True


class InputError(PinSageError):
    """The data or the settings a person gave cannot be used; trying again changes nothing."""

    retry_can_help = False


class DatasetError(InputError):
    """A table of the data set is missing, malformed or holds too many bad rows."""


class SettingsError(InputError):
    """A setting is unknown, of the wrong type or out of bounds."""


class UnknownPinError(InputError):
    """A pin was asked for that the catalog does not hold."""


class ArtifactMissingError(PinSageError):
    """A stage asked for an artifact that no stage has published."""


class ArtifactDamagedError(PinSageError):
    """A published artifact does not match its manifest any more."""

    retry_can_help = False


class ReleaseMovedError(PinSageError):
    """Somebody else moved CURRENT while a release was made. A retry decides anew."""


class DecisionMovedError(PinSageError):
    """Somebody else decided on the champion in the meantime. A retry decides anew."""


class RunRecordError(InputError):
    """A run does not exist, or exists with other settings."""


class CheckpointMismatchError(InputError):
    """A checkpoint belongs to a training of other settings or data."""


class DeviceMemoryError(InputError):
    """A step of training does not fit the memory of the GPU."""


class TrainingDivergedError(PinSageError):
    """The loss became NaN or infinite."""

    retry_can_help = False


class DiskFullError(PinSageError):
    """A disk is full. Trying again at once cannot help; later it may."""


class MemoryShortError(PinSageError):
    """Memory ran out. A retry may help: what ran beside it may have ended."""


class MachineError(PinSageError):
    """The operating system refused a call, for a reason that is neither room nor the content of a file."""


class ClusterError(PinSageError):
    """The Dask cluster could not be reached, or lost the work given to it."""


class StoreError(PinSageError):
    """The store of the deployment could not be reached, or refused. It was asked for a minute and more."""


class StoreDamagedError(StoreError):
    """The store between us and the workers holds other bytes than were put there."""


class TrackingError(PinSageError):
    """MLflow could not be reached, or refused what it was told."""
