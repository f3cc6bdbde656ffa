"""The tracks that the service holds: those of a folder given at the start, and uploads, in memory and bounded."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bi2scope.data.errors import ConfigurationError, NotFoundError, RegionError
from bi2scope.data.regions import Bed, read_bed
from bi2scope.server.wire_tf import TrackInfo

ENDINGS = (".bed", ".narrowpeak", ".broadpeak", ".bedgraph", ".bdg", ".bg")
"""Files of a folder that are tracks, plain or with ``.gz`` after it, whatever the case."""

MOST_UPLOADS = 32
"""Uploaded tracks that are kept; one more is refused until one is deleted."""

MOST_UPLOADED_BYTES = 256 * 2**20
"""Bytes of uploaded files that are kept in all, as they travelled."""

MOST_IN_FOLDER = 1_000
"""Files of the folder that are read."""

DIGITS = 16


@dataclass(frozen=True)
class HeldTrack:
    """A BED file in memory.

    Attributes
    ----------
    name
        Of the file.
    source
        Where it came from.
    contents
        The file, plain or gzipped: read again when another column is asked for.
    """

    name: str
    source: Literal["folder", "upload"]
    contents: bytes
    digest: str

    @classmethod
    def of(cls, name: str, contents: bytes, source: Literal["folder", "upload"] = "upload") -> HeldTrack:
        """A track of a file's contents, which are not looked into."""
        return cls(name, source, contents, hashlib.sha256(contents).hexdigest())

    @property
    def track_id(self) -> str:
        """First digits of the file's SHA-256."""
        return self.digest[:DIGITS]

    def bed(self, score_column: int | None = None) -> Bed:
        """Intervals, with the scores of a column (from 1), or of that which the format says.

        Raises
        ------
        RegionError
            If the file is not a BED file, or has negative scores: a peak without an interval has 0, so that a signal
            below 0 would rank bound peaks under unbound ones.
        """
        bed = read_bed(io.BytesIO(self.contents), self.name, score_column)
        negative = int((bed.intervals["score"] < 0).sum())
        if negative:
            raise RegionError(
                f"{self.name}: {negative:,} of {len(bed.intervals):,} intervals have a negative {bed.score_column}.",
                "Binding is wanted as scores of 0 or more; leave the column out to count presence alone.",
            )
        return bed


class TrackShelf:
    """Tracks by their id; safe to share between threads.

    Parameters
    ----------
    folder
        Folder whose BED files are tracks; ``None`` for none.

    Raises
    ------
    RegionError
        If the folder, or a file in it, cannot be read or is no BED file.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[HeldTrack, TrackInfo]] = OrderedDict()
        for held in _of_folder(folder) if folder is not None else ():
            self._held.setdefault(held.track_id, (held, described(held)))

    def infos(self) -> list[TrackInfo]:
        """All tracks: those of the folder by name, then uploads, the first first."""
        with self._lock:
            return [info for _, info in self._held.values()]

    def get(self, track_id: str) -> HeldTrack:
        """One track.

        Raises
        ------
        NotFoundError
            If there is none of that id.
        """
        with self._lock:
            if track_id not in self._held:
                raise NotFoundError("track", track_id, self._held)
            return self._held[track_id][0]

    def chosen(self, track_ids: Iterable[str]) -> list[tuple[HeldTrack, TrackInfo]]:
        """Tracks by their ids, each once; all without any."""
        asked = list(dict.fromkeys(track_ids))
        for track_id in asked:
            self.get(track_id)
        with self._lock:
            return [self._held[track_id] for track_id in asked or self._held if track_id in self._held]

    def add(self, name: str, contents: bytes) -> TrackInfo:
        """Keep an uploaded track; one that is here already stays as it is.

        Raises
        ------
        RegionError
            If it is no BED file.
        ConfigurationError
            If there is no more room.
        """
        held = HeldTrack.of(name, contents)
        info = described(held)
        with self._lock:
            if held.track_id in self._held:
                return self._held[held.track_id][1]
            uploads = [each for each, _ in self._held.values() if each.source == "upload"]
            taken = sum(len(each.contents) for each in uploads) + len(contents)
            if len(uploads) >= MOST_UPLOADS or taken > MOST_UPLOADED_BYTES:
                raise ConfigurationError(
                    f"{len(uploads)} uploaded tracks are kept already; at most {MOST_UPLOADS} with "
                    f"{MOST_UPLOADED_BYTES // 2**20} MiB in all are.",
                    "Delete one first, or put the files into the folder given to bi2scope serve --tracks.",
                )
            self._held[held.track_id] = held, info
        return info

    def remove(self, track_id: str) -> TrackInfo:
        """Forget an uploaded track.

        Raises
        ------
        NotFoundError
            If there is none of that id.
        ConfigurationError
            If it is one of the folder's.
        """
        held = self.get(track_id)
        if held.source == "folder":
            raise ConfigurationError(f"{held.name} is a track of the folder given at the start; only uploads can go.")
        with self._lock:
            if track_id not in self._held:
                raise NotFoundError("track", track_id, self._held)
            return self._held.pop(track_id)[1]


def regions_of(path: Path | None) -> HeldTrack | None:
    """A BED file of regions, read once to see that it can be.

    Raises
    ------
    RegionError
        If it cannot.
    """
    if path is None:
        return None
    try:
        held = HeldTrack.of(path.name, path.read_bytes(), "folder")
    except OSError as error:
        raise RegionError(f"The blacklist {path} cannot be read: {error.strerror or error}.") from error
    held.bed(0)
    return held


def described(held: HeldTrack) -> TrackInfo:
    """What a track is, from reading it."""
    bed = held.bed()
    return TrackInfo(
        track_id=held.track_id,
        name=held.name,
        source=held.source,
        n_intervals=len(bed.intervals),
        score_column=named_column(bed),
        has_summits="summit" in bed.intervals,
    )


def named_column(bed: Bed) -> str:
    """Where the scores were read from; ``presence`` without any."""
    return "presence" if bed.score_column == "none" else bed.score_column


def _of_folder(folder: Path) -> list[HeldTrack]:
    try:
        paths = sorted(path for path in folder.iterdir() if _is_track(path))
        if len(paths) > MOST_IN_FOLDER:
            raise RegionError(f"{folder} holds {len(paths):,} BED files; at most {MOST_IN_FOLDER:,} are read.")
        return [HeldTrack.of(path.name, path.read_bytes(), "folder") for path in paths]
    except OSError as error:
        raise RegionError(
            f"The folder of tracks, {folder}, cannot be read: {error.strerror or error}.",
            "Give a folder of BED files: bi2scope serve STORE --tracks FOLDER.",
        ) from error


def _is_track(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(ENDINGS) and path.is_file()
