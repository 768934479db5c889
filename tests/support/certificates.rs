//! Certificates to test with, and an authority that signed them.

use std::path::PathBuf;

use forever_frame::config::{CertificateFiles, CertificateSource};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// The files of an authority, and of a certificate for `localhost` and 127.0.0.1.
pub(crate) struct Certificates {
    directory: TempDir,
    authority: (Certificate, KeyPair),
    /// The authority's certificate, in PEM.
    pub(crate) root: String,
}

impl Certificates {
    pub(crate) fn new() -> Certificates {
        let mut params = CertificateParams::default();
        // A name of its own, or its certificates look as if they had signed themselves.
        let name = "forever-frame's authority for tests";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let root = authority.pem();
        let certificates = Certificates {
            directory: super::directory(),
            authority: (authority, key),
            root,
        };
        std::fs::write(certificates.path("root.pem"), &certificates.root).unwrap();
        certificates.issue();
        certificates
    }

    /// Issues another certificate, and puts it in the place of the one before.
    pub(crate) fn issue(&self) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = params
            .signed_by(&key, &self.authority.0, &self.authority.1)
            .unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(self.path("cert.pem"), cert.pem()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The path of a file, for a command line.
    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The files of the certificate.
    pub(crate) fn files(&self) -> CertificateSource {
        CertificateSource::Files(CertificateFiles {
            cert: self.path("cert.pem"),
            key: self.path("key.pem"),
        })
    }
}
