//! Blobs of jobs: left at a gateway, and fetched without believing it.

use cairn_core::Hash;
use cairn_core::statement::Blob;

use crate::transport::Ask;
use crate::{Client, ClientError};

/// The media type of a blob.
const BYTES: &str = "application/octet-stream";

impl Client {
    /// Whether the gateway holds a blob, by its own word.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn has_blob(&self, hash: &Hash) -> Result<bool, ClientError> {
        match self.transport.bytes(&path(hash), Ask::Head, 0) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Leaves a blob at the gateway, unless it is there. Once this returns it is durable, and kept for a while; for as long
    /// as a job needs it.
    ///
    /// # Errors
    /// [`ClientError`]; refused with `NET-BLOB-TOO-LARGE`, `NET-BLOB-QUOTA` and the like.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Blob, ClientError> {
        let blob = Blob { hash: Hash::of(bytes), bytes: bytes.len() as u64 };
        let ask = Ask::Put { content_type: BYTES, body: bytes };
        self.transport.bytes(&path(&blob.hash), ask, 0)?;
        Ok(blob)
    }

    /// The bytes of a blob: as many as it says, and with that hash.
    ///
    /// # Errors
    /// [`ClientError::Answer`] and [`ClientError::TooLarge`] for other bytes: no more are read than there should be.
    pub fn get_blob(&self, blob: &Blob) -> Result<Vec<u8>, ClientError> {
        let path = path(&blob.hash);
        let bytes = self.transport.bytes(&path, Ask::Get { accept: BYTES }, blob.bytes)?;
        let found = Blob { hash: Hash::of(&bytes), bytes: bytes.len() as u64 };
        if found == *blob {
            return Ok(bytes);
        }
        let reason = format!("{} bytes with the SHA-256 {}", found.bytes, found.hash);
        Err(ClientError::Answer { url: self.transport.url(&path), reason })
    }
}

fn path(hash: &Hash) -> String {
    format!("/v1/blobs/{hash}")
}
