//! Certificates by ACME (RFC 8555): an authority is asked for one, and looks for itself whether this
//! server is reached under the name, by a handshake (TLS-ALPN-01, RFC 8737).

use std::fs::DirBuilder;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, AcmeState, EventOk, ResolvesServerCertAcme};

use crate::config::AcmeOptions;

/// The protocol that the authority speaks to look whether this server is reached.
pub(super) const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

/// What asks the authority: for the first certificate, and for another when a third of its time is left.
#[derive(Debug)]
pub(super) struct Acme(AcmeState<io::Error>);

/// Why no certificate can be asked for.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The directory cannot be made.
    #[error("cannot make the directory of --acme-cache, {path}: {error}", path = .0.display(), error = .1)]
    Cache(Box<Path>, io::Error),
    /// The file has no certificates.
    #[error("cannot use --acme-root {path}: {error}", path = .0.display(), error = .1)]
    Root(Box<Path>, pem::Error),
    /// What rustls says.
    #[error("cannot use --acme-root: {0}")]
    Rustls(#[from] rustls::Error),
}

impl Acme {
    pub(super) fn new(options: &AcmeOptions) -> Result<Acme, AcmeError> {
        // The private key is in it.
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = builder.recursive(true).create(&options.cache);
        made.map_err(|error| AcmeError::Cache(options.cache.as_path().into(), error))?;
        let mut config = AcmeConfig::new(&options.hosts)
            .contact(&options.contacts)
            .directory(&options.directory)
            .cache(DirCache::new(options.cache.clone()));
        if let Some(root) = &options.root {
            config = config.client_tls_config(Arc::new(client_config(root)?));
        }
        Ok(Acme(config.state()))
    }

    /// What has the certificate, as soon as there is one.
    pub(super) fn certificate(&self) -> Arc<ResolvesServerCertAcme> {
        self.0.resolver()
    }

    /// Asks for certificates for as long as the server runs, and keeps them in the cache.
    pub(super) async fn run(mut self) {
        while let Some(event) = poll_fn(|cx| Pin::new(&mut self.0).poll_next(cx)).await {
            match event {
                Ok(EventOk::DeployedCachedCert) => {
                    log::info!("the certificate is that of --acme-cache");
                }
                Ok(EventOk::DeployedNewCert) => log::info!("there is a new certificate"),
                Ok(EventOk::CertCacheStore | EventOk::AccountCacheStore) => {}
                Err(error) => {
                    log::error!("no certificate by ACME yet, and another try follows: {error}");
                }
            }
        }
    }
}

/// Trusts the certificates of a file, and no others.
fn client_config(root: &Path) -> Result<ClientConfig, AcmeError> {
    let unusable = |error| AcmeError::Root(root.into(), error);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(root).map_err(unusable)? {
        roots.add(certificate.map_err(unusable)?)?;
    }
    Ok(ClientConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
