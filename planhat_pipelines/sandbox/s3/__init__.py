"""A local S3: moto's server as a process of its own, with sign-in checked and its objects kept in a folder.

with S3Server(folder, bucket="drops") as server:
    boto3.client("s3", **server.client_args).list_objects_v2(Bucket="drops")
"""

from __future__ import annotations

from planhat_pipelines.sandbox.s3.access import Access
from planhat_pipelines.sandbox.s3.process import S3Server

__all__ = ["Access", "S3Server"]
