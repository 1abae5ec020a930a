"""A folder in an S3 bucket, of any maker: sent in parts that survive a cut, verified by checksum."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from app.delivery.remotes import PIECE, RIGHT, Local, Told, differs, wrong_size
from app.errors import UserError
from app.tasks import RetryLaterError

PART = 16 << 20
_LARGEST_PART_COUNT = 10_000
_ABSENT = ("404", "NoSuchKey", "NotFound")
_CALM = ("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling")


class S3Remote:
    """``place`` is bucket/folder."""

    def __init__(
        self, place: str, endpoint: str, region: str, keys: tuple[str | None, str | None]
    ) -> None:
        self._bucket, _, folder = place.partition("/")
        self._folder = folder.strip("/")
        # Buckets of other makers do not know the newer default checksums.
        config = Config(
            retries={"mode": "standard", "max_attempts": 4},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=15,
            read_timeout=60,
        )
        self._client = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=region or "us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            config=config,
        )

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _ask(self, call: str, **arguments: Any) -> Any:
        """One request; a cut connection or a busy server is tried again later, a refusal told."""
        try:
            return getattr(self._client, call)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            raise _refused(error, self._bucket) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise UserError(
                "No key is set for this bucket. Add the target anew with one."
            ) from error
        except (ConnectionError, HTTPClientError) as error:
            raise RetryLaterError(
                f"The connection to the bucket was cut ({type(error).__name__})."
            ) from error
        except BotoCoreError as error:
            raise UserError(f"The bucket could not be used: {error}") from error

    def prepare(self) -> str:
        self._ask("list_objects_v2", Prefix=self._folder, MaxKeys=1)
        return f"s3://{self._bucket}/{self._folder}"

    def send(self, files: Sequence[Local], told: Told) -> None:
        for file in files:
            if file.size <= PART:
                self._send_whole(file)
                told(file.size, file.name)
            else:
                self._send_parts(file, told)

    def _send_whole(self, file: Local) -> None:
        with file.path.open("rb") as body:
            self._ask(
                "put_object",
                Key=self._key(file.name),
                Body=body,
                ChecksumSHA256=_base64(file.sha256),
                Metadata={"sha256": file.sha256},
            )

    def _send_parts(self, file: Local, told: Told) -> None:
        """Go on with an upload that was cut: parts that are there and right are not sent again."""
        key, size = self._key(file.name), part_size(file.size)
        upload = self._open_upload(key, file)
        have = self._parts(key, upload)
        parts = []
        with file.path.open("rb") as data:
            for number in range(1, -(-file.size // size) + 1):
                piece = data.read(size)
                md5 = hashlib.md5(piece, usedforsecurity=False).hexdigest()
                tag = have.get(number)
                if tag != md5:
                    where: dict[str, Any] = {"Key": key, "UploadId": upload, "PartNumber": number}
                    tag = self._ask("upload_part", Body=piece, **where)["ETag"].strip('"')
                parts.append({"PartNumber": number, "ETag": f'"{tag}"'})
                told(len(piece), file.name)
        self._ask(
            "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
        )

    def _open_upload(self, key: str, file: Local) -> str:
        found = self._ask("list_multipart_uploads", Prefix=key).get("Uploads", [])
        begun = [upload["UploadId"] for upload in found if upload["Key"] == key]
        if begun:
            return str(begun[-1])
        made = self._ask("create_multipart_upload", Key=key, Metadata={"sha256": file.sha256})
        return str(made["UploadId"])

    def _parts(self, key: str, upload: str) -> dict[int, str]:
        found: dict[int, str] = {}
        marker = 0
        while True:
            page = self._ask("list_parts", Key=key, UploadId=upload, PartNumberMarker=marker)
            found |= {p["PartNumber"]: p["ETag"].strip('"') for p in page.get("Parts", [])}
            if not page.get("IsTruncated"):
                return found
            marker = page["NextPartNumberMarker"]

    def check(self, files: Sequence[Local]) -> dict[str, str]:
        found = {}
        for file in files:
            try:
                head = self._ask("head_object", Key=self._key(file.name), ChecksumMode="ENABLED")
            except _AbsentError:
                continue
            found[file.name] = self._verdict(file, head)
        return found

    def _verdict(self, file: Local, head: dict[str, Any]) -> str:
        if head["ContentLength"] != file.size:
            return wrong_size(head["ContentLength"], file.size)
        checksum = head.get("ChecksumSHA256", "")
        if checksum and "-" not in checksum:
            here = _base64(file.sha256)
            return RIGHT if checksum == here else differs("sha256", checksum, here)
        if head["ETag"].strip('"') == etag(file):
            return RIGHT
        # A bucket whose tags are no hashes (encrypted ones): what it holds is read again.
        there = hashlib.sha256()
        body = self._ask("get_object", Key=self._key(file.name))["Body"]
        try:
            for piece in body.iter_chunks(PIECE):
                there.update(piece)
        except (BotoCoreError, OSError) as error:
            raise RetryLaterError("The connection to the bucket was cut.") from error
        same = there.hexdigest() == file.sha256
        return RIGHT if same else differs("sha256", there.hexdigest(), file.sha256)


def part_size(size: int) -> int:
    """So large that a file has at most 10,000 parts."""
    return max(PART, -(-size // _LARGEST_PART_COUNT))


def etag(file: Local) -> str:
    """The tag that S3 gives: md5 of the file, or md5 of its parts' md5 with their count."""
    if file.size <= PART:
        with file.path.open("rb") as data:
            return hashlib.file_digest(data, "md5").hexdigest()
    size, sums = part_size(file.size), b""
    with file.path.open("rb") as data:
        while piece := data.read(size):
            sums += hashlib.md5(piece, usedforsecurity=False).digest()
    return f"{hashlib.md5(sums, usedforsecurity=False).hexdigest()}-{len(sums) // 16}"


def _base64(hexdigest: str) -> str:
    return base64.b64encode(bytes.fromhex(hexdigest)).decode()


class _AbsentError(UserError):
    """There is no such object."""


def _refused(error: ClientError, bucket: str) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "NoSuchBucket":
        return UserError(
            f"There is no bucket {bucket}. Make it, or correct the place of this target."
        )
    if code in _ABSENT:
        return _AbsentError("There is no such file in the bucket.")
    if status >= 500 or code in _CALM:
        return RetryLaterError(f"The bucket answered with {code or status}.")
    if status in (401, 403):
        return UserError(f"The bucket refused the key ({code}). Check it and what it may do.")
    return UserError(f"The bucket refused it ({code}).")
