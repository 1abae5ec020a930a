"""A bucket of moto's: whole files and parts, a cut, a wrong byte."""

from __future__ import annotations

import pytest

from app import delivery
from app.platform import EXTENSION
from app.tasks import RetryLaterError
from tests.support.finished import finished_job
from tests.support.platform import make_app

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def endpoint():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint):
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="key",
    )
    client.create_bucket(Bucket="loras")
    yield client
    for thing in client.list_objects_v2(Bucket="loras").get("Contents", []):
        client.delete_object(Bucket="loras", Key=thing["Key"])
    client.close()


@pytest.fixture
def remote(endpoint):
    from app.delivery.s3 import S3Remote

    return S3Remote("loras/mine", endpoint, "", ("id", "key"))


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file of three parts."""
    from app.delivery import s3
    from app.delivery.uploading import measure

    monkeypatch.setattr(s3, "PART", 5 << 20)
    path = tmp_path / "large.safetensors"
    path.write_bytes(bytes(range(256)) * 4096 * 11)
    return measure(path, path.name)


def test_a_job_goes_into_the_bucket_and_the_keys_stay_in_the_vault(tmp_path, endpoint, bucket):
    app = make_app(tmp_path)
    with app.app_context():
        fields = {"place": "loras/{name}-{id}", "endpoint": endpoint, "key_id": "id", "key": "key"}
        target = delivery.add("s3", fields, ("lora", "samples", "config"))
        job = finished_job(app)
        delivery.start(job, target.id)
        assert app.extensions[EXTENSION].tasks.run_all() == [""]
        assert {delivery.state_of(row) for row in delivery.rows(job.id)} == {"verified"}
        body = bucket.get_object(Bucket="loras", Key="dog-1/dog.safetensors")["Body"].read()
        assert body == b"finished" * 300
        assert app.extensions[EXTENSION].vault.names() == [
            f"delivery.{target.id}.key", f"delivery.{target.id}.key_id"
        ]  # fmt: skip


def test_parts_that_arrived_before_a_cut_are_not_sent_again(remote, bucket, large):
    sent = []
    ask = remote._ask

    def cut_at_the_third(call, **arguments):
        if call == "upload_part":
            sent.append(arguments["PartNumber"])
            if len(sent) == 3:
                raise RetryLaterError("cut")
        return ask(call, **arguments)

    remote._ask = cut_at_the_third
    with pytest.raises(RetryLaterError):
        remote.send([large], lambda _n, _name: None)
    assert remote.check([large]) == {}
    remote.send([large], lambda _n, _name: None)
    assert sent == [1, 2, 3, 3]
    assert remote.check([large]) == {large.name: ""}


def test_a_wrong_byte_in_the_bucket_is_seen(remote, bucket, large):
    remote.send([large], lambda _n, _name: None)
    spoiled = bytearray(large.path.read_bytes())
    spoiled[7] ^= 1
    bucket.put_object(Bucket="loras", Key="mine/large.safetensors", Body=bytes(spoiled))
    assert "its sha256 is" in remote.check([large])[large.name]
    bucket.put_object(Bucket="loras", Key="mine/large.safetensors", Body=b"short")
    assert "not whole" in remote.check([large])[large.name]


def test_a_bucket_that_is_missing_is_a_sentence(endpoint):
    from app.delivery.s3 import S3Remote

    with pytest.raises(Exception, match="There is no bucket nowhere"):
        S3Remote("nowhere/x", endpoint, "", ("id", "key")).prepare()
