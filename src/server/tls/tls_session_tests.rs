//! A session and a client, without sockets.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion,
};

use super::provider;
use super::tls_session::{RECORD_OVERHEAD, TlsSession};
use crate::limits;

/// Both sides of a connection after the handshake.
fn connected(version: &'static SupportedProtocolVersion) -> (TlsSession, ClientConnection) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = certified.cert.der().clone();
    let key = PrivateKeyDer::try_from(certified.key_pair.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut session = TlsSession::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || !session.is_open() {
        let said = said_by(&mut client);
        let mut rest = &said[..];
        while !rest.is_empty() {
            session.receive(|bytes| rest.read(bytes)).unwrap();
        }
        let mut records = Vec::new();
        session.write(&[], |sent| records.write(sent)).unwrap();
        assert_eq!(heard_by(&mut client, &records), b"");
    }
    assert_eq!(session.capacity(), 0);
    (session, client)
}

/// The records that a client has to send.
fn said_by(client: &mut ClientConnection) -> Vec<u8> {
    let mut records = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut records).unwrap();
    }
    records
}

/// The text that a client is sent in records.
fn heard_by(client: &mut ClientConnection, mut records: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while !records.is_empty() {
        client.read_tls(&mut records).unwrap();
        client.process_new_packets().unwrap();
        // It ends with an error while there may be more.
        let _ = client.reader().read_to_end(&mut text);
    }
    text
}

/// Whatever a socket takes of each record, the client has all of the text, in order. Less than a short
/// record waits meanwhile, and nothing is kept afterwards.
#[test]
fn text_arrives_whatever_the_socket_takes() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for version in [&TLS12, &TLS13] {
        let (mut session, mut client) = connected(version);
        for _ in 0..60 {
            let length = random.random_range(0..30_000);
            let text: Vec<u8> = (0..length).map(|_| random.random()).collect();
            let (mut rest, mut wire) = (&text[..], Vec::new());
            while !rest.is_empty() || session.has_unsent() {
                let written = session.write(rest, |records| {
                    if random.random_ratio(1, 3) {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    let part = random.random_range(1..=records.len());
                    wire.write(&records[..part])
                });
                match written {
                    Ok(written) => rest = &rest[written..],
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
                let most = limits::TLS_RECORD_BYTES + RECORD_OVERHEAD;
                assert!(session.capacity() <= most, "{}", session.capacity());
            }
            assert_eq!(session.capacity(), 0);
            assert!(heard_by(&mut client, &wire) == text);
        }
    }
}

/// What a client sends is thrown away, in whatever pieces it comes, until it ends; keys that it has
/// changed are the ones that are used.
#[test]
fn text_is_ignored_until_the_end() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for version in [&TLS12, &TLS13] {
        let (mut session, mut client) = connected(version);
        for round in 0..50 {
            if version.version == TLS13.version && random.random() {
                client.refresh_traffic_keys().unwrap();
            }
            let length = random.random_range(1..10_000);
            client.writer().write_all(&vec![b'x'; length]).unwrap();
            let said = said_by(&mut client);
            let mut rest = &said[..];
            while !rest.is_empty() {
                let most = random.random_range(1..=rest.len());
                let came = session.ignore(|bytes| {
                    let most = most.min(bytes.len());
                    rest.read(&mut bytes[..most])
                });
                assert!(came.unwrap() > 0);
                assert!(session.text().is_empty() && !session.has_ended());
            }
            assert_eq!(session.capacity(), 0);
            let mut wire = Vec::new();
            let text = format!("round {round}");
            session
                .write(text.as_bytes(), |sent| wire.write(sent))
                .unwrap();
            assert_eq!(heard_by(&mut client, &wire), text.as_bytes());
        }
        client.send_close_notify();
        let said = said_by(&mut client);
        let mut rest = &said[..];
        assert_eq!(session.ignore(|bytes| rest.read(bytes)).unwrap(), 0);
        assert!(session.has_ended());
        // This side goes on.
        let mut wire = Vec::new();
        session.write(b"still", |sent| wire.write(sent)).unwrap();
        session.close().unwrap();
        session.write(&[], |sent| wire.write(sent)).unwrap();
        assert_eq!(heard_by(&mut client, &wire), b"still");
        assert_eq!(session.capacity(), 0);
        session.write(b"more", |_| Ok(1)).unwrap_err();
    }
}
