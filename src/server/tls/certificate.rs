//! The certificate that clients are shown, and its files.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::CertificateFiles;
use crate::limits;

/// The certificate of the files that were read last without an error.
#[derive(Debug)]
pub(super) struct Certificate {
    files: CertificateFiles,
    shown: RwLock<Arc<CertifiedKey>>,
    /// What was read last, whether it could be used or not.
    read: Mutex<Option<Pem>>,
}

/// The content of both files.
#[derive(PartialEq, Eq)]
struct Pem {
    chain: Vec<u8>,
    key: Vec<u8>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {option} {path}: {error}", path = .path.display())]
    Unreadable {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: Box<Path>,
        /// Why it cannot be read.
        error: io::Error,
    },
    /// A file has not what it should have.
    #[error("{option} {path} has no {what} in PEM, which begins like -----BEGIN {begin}-----: {error}", path = .path.display())]
    NoPem {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: Box<Path>,
        /// What it should have.
        what: &'static str,
        /// How that begins.
        begin: &'static str,
        /// Why it is not found.
        error: pem::Error,
    },
    /// The certificate and the key do not go together, or the key is of no kind that is known here.
    #[error("the certificate of --tls-cert {cert} cannot be used with --tls-key {key}: {error}", cert = .files.cert.display(), key = .files.key.display())]
    Unusable {
        /// Both files.
        files: CertificateFiles,
        /// Why.
        error: rustls::Error,
    },
}

const CERT: &str = "--tls-cert";
const KEY: &str = "--tls-key";

impl Certificate {
    /// Reads both files.
    pub(super) fn open(files: CertificateFiles) -> Result<Certificate, CertificateError> {
        let pem = Pem::read(&files)?;
        let shown = RwLock::new(Arc::new(pem.parse(&files)?));
        Ok(Certificate {
            files,
            shown,
            read: Mutex::new(Some(pem)),
        })
    }

    /// Reads both files again, and shows from now on what is in them. If that cannot be used, what was
    /// shown is shown still.
    ///
    /// Returns whether there is another certificate now.
    pub(super) fn reload(&self) -> Result<bool, CertificateError> {
        let mut read = self.read.lock();
        let pem = Pem::read(&self.files);
        let Ok(pem) = pem else {
            // Said once, until it can be read again.
            let is_news = read.take().is_some();
            return if is_news {
                pem.map(|_| false)
            } else {
                Ok(false)
            };
        };
        if read.as_ref() == Some(&pem) {
            return Ok(false);
        }
        let parsed = pem.parse(&self.files);
        *read = Some(pem);
        *self.shown.write() = Arc::new(parsed?);
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read()))
    }
}

impl Pem {
    fn read(files: &CertificateFiles) -> Result<Pem, CertificateError> {
        Ok(Pem {
            chain: read_file(CERT, &files.cert)?,
            key: read_file(KEY, &files.key)?,
        })
    }

    fn parse(&self, files: &CertificateFiles) -> Result<CertifiedKey, CertificateError> {
        let no_chain = |error| CertificateError::NoPem {
            option: CERT,
            path: files.cert.as_path().into(),
            what: "certificate",
            begin: "CERTIFICATE",
            error,
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<_, _>>()
            .map_err(no_chain)?;
        if chain.is_empty() {
            return Err(no_chain(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key);
        let key = key.map_err(|error| CertificateError::NoPem {
            option: KEY,
            path: files.key.as_path().into(),
            what: "private key",
            begin: "PRIVATE KEY",
            error,
        })?;
        let certified = CertifiedKey::from_der(chain, key, &super::provider());
        certified.map_err(|error| CertificateError::Unusable {
            files: files.clone(),
            error,
        })
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem")
    }
}

fn read_file(option: &'static str, path: &Path) -> Result<Vec<u8>, CertificateError> {
    let read = || {
        let mut bytes = Vec::new();
        let most = limits::CERTIFICATE_FILE_BYTES_MAX;
        File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other(format!("it is longer than {most} bytes")));
        }
        Ok(bytes)
    };
    read().map_err(|error| CertificateError::Unreadable {
        option,
        path: path.into(),
        error,
    })
}
