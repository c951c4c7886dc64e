"""Online trackers: frame by frame, without a look ahead."""
