//! Where the certificate comes from, as `--tls-cert`, `--tls-key` and the options of `--acme` say it.

use std::path::PathBuf;

/// Where the certificate comes from with which TLS is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// From files.
    Files(CertificateFiles),
    /// From an authority that is asked for it.
    Acme(AcmeOptions),
}

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those that lead to its issuer, in PEM.
    pub cert: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// How an authority is asked for certificates (ACME, RFC 8555).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeOptions {
    /// The names of the certificate.
    pub hosts: Vec<String>,
    /// The addresses at which the authority may reach the operator, each a `mailto:` URL.
    pub contacts: Vec<String>,
    /// The URL of the authority.
    pub directory: String,
    /// The directory in which the account and the certificate are kept.
    pub cache: PathBuf,
    /// A file with the certificates, in PEM, that lead to the authority's own one; `None` for the public
    /// ones.
    pub root: Option<PathBuf>,
}
