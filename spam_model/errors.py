"""Every error this project raises on purpose, for all three packages.

    SpamError                      exit code 1
    ├── InputError                 exit code 2   a file, folder, video or argument that cannot be used
    │   ├── BusyError                            another process is at work on it
    │   ├── FormatError                          a file of ours or of a benchmark that does not read as it should
    │   └── VideoError                           a video or image that cannot be decoded
    ├── DeviceError                exit code 3   a device was asked for that is not there
    ├── ConstraintConflict         exit code 4   people's answers contradict each other
    ├── FetchError                 exit code 5   weights that could not be fetched or do not match their checksum
    ├── BackendError               exit code 6   the model's function host failed or is not reachable
    └── ServerError                exit code 7   CVAT refused, failed or is not reachable (see cvat_bridge.connection)

A message says what is wrong and what to do next. Exit code 0 is success, 130 an interrupt.
"""


class SpamError(Exception):
    """Root of the tree; the command line prints its message and exits with ``exit_code``."""

    exit_code = 1


class InputError(SpamError):
    exit_code = 2


class BusyError(InputError):
    pass


class FormatError(InputError):
    pass


class VideoError(InputError):
    pass


class DeviceError(SpamError):
    exit_code = 3


class ConstraintConflict(SpamError):  # noqa: N818 - named for what it is
    exit_code = 4


class FetchError(SpamError):
    exit_code = 5


class BackendError(SpamError):
    exit_code = 6


class ServerError(SpamError):
    """CVAT refused, failed or is not reachable. ``status`` is the HTTP status, None without an answer."""

    exit_code = 7

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
