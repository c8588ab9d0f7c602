"""One bucket, on SeaweedFS and on moto: each call is bound to the object that was listed."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from planhat_pipelines.files import Bucket, Changed, Damaged, NotThere, S3Account, S3Client, S3Object
from planhat_pipelines.files.bucket import LARGE
from planhat_pipelines.files.probe import probe
from planhat_pipelines.files.spool import Spool
from planhat_pipelines_tests.files.pretend import Told, pretend

ID = "0" * 64


@pytest.fixture
def loose(own_key: S3Account) -> Bucket:
    """moto's, which ignores conditions on COPY but takes any key."""
    return Bucket(S3Client(own_key), "drops")


def put(bucket: Bucket, key: str, content: bytes) -> S3Object:
    bucket.put(key, content)
    return bucket.look(key)


def keys(bucket: Bucket, prefix: str, *, only_folder: bool = False) -> list[str]:
    pages = bucket.pages(prefix, only_folder=only_folder)
    return [item.key for page in pages for item in page.objects]


def test_what_is_fetched_is_whole_private_and_named_by_the_drop(
    bucket: Bucket, root: str, tmp_path: Path
) -> None:
    content = os.urandom(3_000_000)
    spool = Spool(tmp_path / "spool")
    digest = bucket.fetch(put(bucket, f"{root}a b.csv", content), spool, spool.path(ID))
    assert digest == hashlib.sha256(content).hexdigest()
    [file] = spool.folder.iterdir()
    assert (file.name, file.read_bytes()) == (ID, content)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700


def test_a_spool_takes_no_path_from_a_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the id of a drop"):
        Spool(tmp_path).path("../../etc/passwd")


def test_an_overwritten_object_is_neither_fetched_nor_copied_nor_removed(
    bucket: Bucket, root: str, tmp_path: Path
) -> None:
    listed = put(bucket, f"{root}a.csv", b"old")
    bucket.put(f"{root}a.csv", b"new")
    spool = Spool(tmp_path / "spool")
    with pytest.raises(Changed):
        bucket.fetch(listed, spool, spool.path(ID))
    with pytest.raises(Changed):
        bucket.copy(listed, f"{root}copy")
    assert bucket.remove(listed) == "newer"
    assert bucket.read(f"{root}a.csv") == b"new"
    assert keys(bucket, root) == [f"{root}a.csv"]
    assert not spool.folder.exists()


def test_an_object_taken_away_is_not_there(bucket: Bucket, root: str, tmp_path: Path) -> None:
    listed = put(bucket, f"{root}a.csv", b"old")
    assert bucket.remove(listed) == "removed"
    assert bucket.remove(listed) == "gone"
    with pytest.raises(NotThere):
        bucket.fetch(listed, Spool(tmp_path), tmp_path / ID)
    with pytest.raises(NotThere):
        bucket.copy(listed, f"{root}copy")


def test_a_large_object_is_copied_in_parts_and_only_as_it_was_listed(bucket: Bucket, root: str) -> None:
    content = os.urandom(LARGE + 1)
    listed = put(bucket, f"{root}large", content)
    bucket.copy(listed, f"{root}copy")
    assert bucket.read(f"{root}copy") == content
    assert bucket.look(f"{root}copy").etag != listed.etag, "this store would do the same with one call"
    bucket.put(f"{root}large", content[::-1])
    with pytest.raises(Changed):
        bucket.copy(listed, f"{root}second")


def test_a_large_file_is_written_whole(bucket: Bucket, root: str, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(LARGE + 1))
    bucket.put(f"{root}large", file)
    assert bucket.read(f"{root}large") == file.read_bytes()


def test_an_old_version_can_be_fetched_and_copied_and_its_removal_hides_nothing_newer(
    versioned_bucket: Bucket, root: str, tmp_path: Path
) -> None:
    bucket, key = versioned_bucket, f"{root}a.csv"
    old = put(bucket, key, b"old")
    new = put(bucket, key, b"new")
    bucket.fetch(old, Spool(tmp_path), tmp_path / ID)
    bucket.copy(old, f"{root}copy")
    assert (tmp_path / ID).read_bytes() == bucket.read(f"{root}copy") == b"old"
    assert bucket.remove(old) == "newer"
    assert bucket.remove(new) == "removed"
    with pytest.raises(NotThere):
        bucket.look(key)
    assert keys(bucket, key) == [], "the version before does not come back"


@pytest.mark.parametrize(
    "name",
    [
        "a b+c%20d.csv",
        "é/日本/🦊.csv",
        "e\u0301.csv",
        "a/../b.csv",
        "//x//y.csv",
        "a\x01b.csv",
        "x" * 900,
        "~!@$&'()=;,?#.csv",
    ],
)
def test_odd_keys_make_the_whole_way(name: str, loose: Bucket, root: str, tmp_path: Path) -> None:
    item = put(loose, f"{root}{name}", b"odd")
    assert keys(loose, root) == [item.key]
    loose.copy(item, f"copy/{root}{name}"[:1000])
    loose.fetch(item, Spool(tmp_path), tmp_path / ID)
    assert (tmp_path / ID).read_bytes() == b"odd"
    assert loose.remove(item) == "removed"


def test_a_listing_has_all_pages_and_can_stay_in_one_folder(bucket: Bucket, root: str) -> None:
    names = [f"{root}{n:04}.csv" for n in range(1_003)]
    for name in [*names, f"{root}deep/er.csv"]:
        bucket.put(name, b"")
    assert sorted(keys(bucket, root)) == sorted([*names, f"{root}deep/er.csv"])
    assert sorted(keys(bucket, root, only_folder=True)) == names


def test_stores_differ_in_what_they_promise_and_the_probe_tells(bucket: Bucket, loose: Bucket) -> None:
    strict = bucket.guarantees
    assert (strict.put_if_none_match, strict.copy_if_match, strict.delete_if_match) == (True, True, True)
    moto = loose.guarantees
    assert (moto.put_if_none_match, moto.copy_if_match, moto.delete_if_match) == (True, False, True)
    assert "copy only what was listed: no" in str(moto)
    assert loose.guarantees is moto, "asked once"


def test_the_probe_tidies_up_after_itself(bucket: Bucket, loose: Bucket) -> None:
    for store in (bucket, loose):
        before = keys(store, store.scratch)  # of workers that other tests killed while they probed
        probe(store)
        assert keys(store, store.scratch) == before


def test_aws_is_believed_and_not_probed() -> None:
    assert Bucket(S3Client(S3Account(region="eu-north-1")), "drops").guarantees.note == "documented by AWS"


def test_a_store_that_may_not_be_tried_promises_nothing(own_key: S3Account) -> None:
    guarantees = probe(Bucket(S3Client(own_key), "not-ours"))
    assert (guarantees.copy_if_match, guarantees.delete_if_match) == (False, False)
    assert "could not be tried: AccessDenied" in str(guarantees)


def test_an_answer_whose_head_breaks_off_is_damaged_and_no_object() -> None:
    with pretend(lambda asked: Told(headers={"ETag": '"1"'})) as aws:
        keys = {"access_key_id": "AKIAOWN", "secret_access_key": "secret"}
        client = S3Client(S3Account("us-east-1", endpoint_url=aws.endpoint, **keys))
        with pytest.raises(Damaged, match="broke off"):
            Bucket(client, "drops").look("a.csv")
