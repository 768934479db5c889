//! The options of TLS.

use std::path::PathBuf;

use super::values::{self, ValueList, acme_host, contact, list};
use super::{AcmeOptions, CertificateFiles, CertificateSource};
use crate::limits;

/// Where the certificate comes from, on the command line.
#[derive(clap::Args, Debug)]
pub(super) struct TlsArgs {
    /// File with the certificate, and with those that lead to its issuer, in PEM; --listen then speaks
    /// TLS. Both files are read again on SIGHUP, and when they have changed
    #[arg(
        long,
        value_name = "FILE",
        env = "FOREVER_FRAME_TLS_CERT",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,

    /// File with the private key of --tls-cert, in PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "FOREVER_FRAME_TLS_KEY",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,

    /// Name under which browsers reach the server: certificates for it are asked for and renewed by ACME,
    /// and --listen, which must be port 443 as the authority sees it, speaks TLS. May be given several
    /// times (in the environment: separated by commas). It agrees to the authority's terms of service
    #[arg(
        long = "acme",
        value_name = "HOST",
        env = "FOREVER_FRAME_ACME",
        conflicts_with = "tls_cert",
        value_parser = list(acme_host)
    )]
    acme: Vec<ValueList<String>>,

    /// Address at which the authority may reach the operator, such as `admin@example.org`; may be given
    /// several times [default: none]
    #[arg(long, value_name = "ADDRESS", env = "FOREVER_FRAME_ACME_CONTACT", value_parser = list(contact))]
    acme_contact: Vec<ValueList<String>>,

    /// URL of the authority
    #[arg(long, value_name = "URL", env = "FOREVER_FRAME_ACME_DIRECTORY", default_value = limits::ACME_DIRECTORY_DEFAULT)]
    acme_directory: String,

    /// Directory in which the account's key, the certificate and its key are kept over restarts; it is
    /// made for its owner alone
    #[arg(
        long,
        value_name = "DIR",
        env = "FOREVER_FRAME_ACME_CACHE",
        default_value = "forever-frame.acme"
    )]
    acme_cache: PathBuf,

    /// File with certificates, in PEM, that lead to the one of an authority that is not public
    /// [default: the public ones]
    #[arg(long, value_name = "FILE", env = "FOREVER_FRAME_ACME_ROOT")]
    acme_root: Option<PathBuf>,
}

impl TlsArgs {
    /// Where the certificate comes from, if there is one.
    pub(super) fn source(self) -> Option<CertificateSource> {
        if let Some((cert, key)) = self.tls_cert.zip(self.tls_key) {
            return Some(CertificateSource::Files(CertificateFiles { cert, key }));
        }
        let hosts = values::all(self.acme);
        (!hosts.is_empty()).then(|| {
            CertificateSource::Acme(AcmeOptions {
                hosts,
                contacts: values::all(self.acme_contact),
                directory: self.acme_directory,
                cache: self.acme_cache,
                root: self.acme_root,
            })
        })
    }
}
