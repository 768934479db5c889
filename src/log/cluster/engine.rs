//! The connection to the engine, and what is asked of it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, HeaderMap, RequestErrorKind, Subscriber};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::ClusterOptions;
use super::cluster_status::ClusterStatus;
use super::publish_reply::{self, EngineError, TryOutcome};
use super::stream_settings::StreamSettings;
use crate::limits;
use crate::message::{Epoch, Seq};

/// The engine's code for a stream that does not exist.
const NO_STREAM: u32 = 10_059;

/// The connection to the engine. Clones are of the same connection.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    client: Client,
    options: Arc<ClusterOptions>,
    status: Arc<ClusterStatus>,
}

/// A message to the engine.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

/// What the engine says of its stream.
#[derive(Debug)]
pub(super) struct StreamState {
    /// The epoch of its log.
    pub(super) epoch: Epoch,
    pub(super) first: Seq,
    pub(super) last: Seq,
    pub(super) settings: StreamSettings,
}

/// Why the engine cannot be used.
#[derive(Clone, Debug)]
pub(super) enum EngineFault {
    /// It does not answer, or not now.
    Unreachable(String),
    /// It or its stream is not as it must be: a sentence for each thing.
    Wrong(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct StreamAnswer {
    error: Option<EngineError>,
    config: Option<StreamSettings>,
    created: Option<String>,
    state: Option<StreamBounds>,
}

#[derive(Debug, Deserialize)]
struct StreamBounds {
    first_seq: u64,
    last_seq: u64,
}

impl Engine {
    /// Connects, now or as soon as a server can be reached.
    ///
    /// # Errors
    /// When the options cannot be used, such as a file of credentials that is not there.
    pub(super) async fn connect(
        options: Arc<ClusterOptions>,
        status: Arc<ClusterStatus>,
    ) -> Result<Engine, String> {
        let own = Arc::clone(&status);
        let on_event = move |event| {
            note(&own, &event);
            std::future::ready(())
        };
        let mut connect = ConnectOptions::new()
            .name("forever-frame")
            .retry_on_initial_connect()
            .retain_servers_order()
            .connection_timeout(limits::CLUSTER_CONNECT_TIMEOUT)
            .ping_interval(limits::CLUSTER_PING_INTERVAL)
            .subscription_capacity(limits::CLUSTER_SUBSCRIPTION_MESSAGES)
            .reconnect_delay_callback(|tries| {
                let tries = u32::try_from(tries).unwrap_or(u32::MAX);
                (Duration::from_millis(50) * tries.min(20)).min(Duration::from_secs(1))
            })
            .event_callback(on_event);
        if let Some((user, password)) = options.login() {
            connect = connect.user_and_password(user, password);
        }
        if let Some(file) = &options.creds {
            let read = connect.credentials_file(file).await;
            connect = read.map_err(|error| {
                format!("cannot read the credentials {}: {error}", file.display())
            })?;
        }
        let client = connect.connect(&options.urls[..]).await;
        let client = client.map_err(|error| format!("cannot connect to NATS: {error}"))?;
        Ok(Engine {
            client,
            options,
            status,
        })
    }

    /// Checks the server and its stream, and makes the stream if there is none.
    ///
    /// # Errors
    /// When the engine does not answer, or is not as it must be.
    pub(super) async fn contact(&self) -> Result<StreamState, EngineFault> {
        let Some(info) = self.client.try_server_info() else {
            let why = self.status.trouble();
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            return Err(EngineFault::Unreachable(format!(
                "no NATS server answers at {}{why}",
                self.options.urls_without_secrets()
            )));
        };
        let wishes = &self.options.wishes;
        let faults = wishes.faults_of_server(&info.version, info.max_payload);
        if !faults.is_empty() {
            return Err(EngineFault::Wrong(faults));
        }
        let state = match self.stream("INFO", Bytes::new()).await? {
            Ok(state) => state,
            Err(error) if error.err_code == NO_STREAM => {
                let settings = serde_json::to_vec(&wishes.settings()).unwrap_or_default();
                match self.stream("CREATE", settings.into()).await? {
                    Ok(state) => {
                        log::info!("the stream {:?} was made", wishes.name);
                        state
                    }
                    // Another server may have made it at the same moment, or there is no room yet.
                    Err(error) => return Err(unreachable("cannot make the stream", &error)),
                }
            }
            Err(error) => return Err(unreachable("cannot read of the stream", &error)),
        };
        let faults = wishes.faults(&state.settings);
        if !faults.is_empty() {
            return Err(EngineFault::Wrong(faults));
        }
        Ok(state)
    }

    /// Says what was found, a line each.
    pub(super) fn describe(&self, state: &StreamState) -> Vec<String> {
        let info = self.client.try_server_info().unwrap_or_default();
        let settings = &state.settings;
        let age = Duration::from_nanos(settings.max_age);
        vec![
            format!(
                "server {:?} has version {} and takes {} bytes a message",
                info.server_name, info.version, info.max_payload
            ),
            format!(
                "stream {:?} has {} replicas, keeps {} bytes and {}, and has the epoch {}",
                settings.name,
                settings.num_replicas,
                settings.max_bytes,
                humantime::format_duration(age),
                state.epoch
            ),
            format!("the log has seq {} to {}", state.first, state.last),
        ]
    }

    /// Asks for the stream's state.
    pub(super) async fn state(&self) -> Result<StreamState, EngineFault> {
        let state = self.stream("INFO", Bytes::new()).await?;
        state.map_err(|error| unreachable("cannot read of the stream", &error))
    }

    async fn stream(
        &self,
        what: &str,
        request: Bytes,
    ) -> Result<Result<StreamState, EngineError>, EngineFault> {
        let subject = format!("$JS.API.STREAM.{what}.{}", self.options.wishes.name);
        // To make a stream takes longer than to ask for one.
        let time = limits::CLUSTER_TRY_TIMEOUT * 2;
        let answer: StreamAnswer = self.ask(subject, request, time).await?;
        if let Some(error) = answer.error {
            return Ok(Err(error));
        }
        let parts = (answer.config, answer.created, answer.state);
        let (Some(settings), Some(created), Some(bounds)) = parts else {
            let what = "the NATS server's answer about the stream is not complete".to_owned();
            return Err(EngineFault::Unreachable(what));
        };
        Ok(Ok(StreamState {
            epoch: epoch(&created),
            first: Seq(bounds.first_seq),
            last: Seq(bounds.last_seq),
            settings,
        }))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        subject: String,
        request: Bytes,
        time: Duration,
    ) -> Result<T, EngineFault> {
        let fault = |why: String| EngineFault::Unreachable(why);
        let asked = self.client.request(subject, request);
        let answer = match tokio::time::timeout(time, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                return Err(fault(
                    "no NATS server that was asked speaks for JetStream at present: it is not enabled, or \
                     there is no quorum"
                        .to_owned(),
                ));
            }
            Ok(Err(error)) => return Err(fault(format!("a NATS server cannot be asked: {error}"))),
            Err(_) => {
                return Err(fault(
                    "the NATS servers do not answer: it may be that there is no quorum".to_owned(),
                ));
            }
        };
        serde_json::from_slice(&answer.payload)
            .map_err(|error| fault(format!("a NATS server's answer cannot be read: {error}")))
    }

    /// Follows what the engine has committed.
    pub(super) async fn committed(&self) -> Result<Subscriber, String> {
        self.subscribe(self.options.wishes.committed()).await
    }

    /// Begins to listen for the answers to fills. Returns where they go.
    pub(super) async fn fill_answers(&self) -> Result<(String, Subscriber), String> {
        let inbox = self.client.new_inbox();
        let answers = self.subscribe(format!("{inbox}.*")).await?;
        Ok((inbox, answers))
    }

    async fn subscribe(&self, subject: String) -> Result<Subscriber, String> {
        let subscriber = self.client.subscribe(subject).await;
        subscriber.map_err(|error| format!("cannot subscribe: {error}"))
    }

    /// Asks for the entries from a position on. The answers go to `inbox`, under the number of the fill.
    pub(super) async fn ask_fill(&self, from: Seq, inbox: &str, number: u64) {
        let request = json!({
            "seq": from.0,
            "batch": limits::CLUSTER_FILL_MESSAGES,
            "max_bytes": limits::CLUSTER_FILL_BYTES,
        });
        let subject = format!("$JS.API.DIRECT.GET.{}", self.options.wishes.name);
        let reply = format!("{inbox}.{number}");
        let sent = self
            .client
            .publish_with_reply(subject, reply, request.to_string().into());
        // One that cannot be sent is given up as one that is not answered.
        let _ = tokio::time::timeout(limits::CLUSTER_TICK, sent).await;
    }

    /// Sends messages, as a whole or not at all.
    pub(super) async fn send(&self, messages: &[Sending]) -> TryOutcome {
        let sent = async {
            match messages {
                [one] => self.request(one.clone()).await,
                several => self.send_batch(several).await,
            }
        };
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let time = limits::CLUSTER_TRY_TIMEOUT + limits::CLUSTER_MESSAGE_TIMEOUT * count;
        let sent = tokio::time::timeout(time, sent).await;
        sent.unwrap_or(TryOutcome::Unknown)
    }

    async fn send_batch(&self, messages: &[Sending]) -> TryOutcome {
        let batch = format!("{:016x}", rand::random::<u64>());
        for (message, number) in messages.iter().zip(1_usize..) {
            let mut message = message.clone();
            message.headers.insert("Nats-Batch-Id", batch.as_str());
            message
                .headers
                .insert("Nats-Batch-Sequence", number.to_string());
            if number == messages.len() {
                message.headers.insert("Nats-Batch-Commit", "1");
                return self.request(message).await;
            }
            let Sending {
                subject,
                headers,
                payload,
            } = message;
            let sent = self.client.publish_with_headers(subject, headers, payload);
            if let Err(error) = sent.await {
                return TryOutcome::NotStored(error.to_string());
            }
        }
        TryOutcome::NotStored("there was nothing to send".to_owned())
    }

    async fn request(&self, message: Sending) -> TryOutcome {
        let Sending {
            subject,
            headers,
            payload,
        } = message;
        let asked = self.client.request_with_headers(subject, headers, payload);
        match asked.await {
            Ok(answer) => publish_reply::read(&answer.payload),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => TryOutcome::NoLeader,
                RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                    TryOutcome::Refused(error.to_string())
                }
                _ => TryOutcome::Unknown,
            },
        }
    }
}

/// Notes what happens to the connection.
fn note(status: &ClusterStatus, event: &Event) {
    match event {
        Event::Connected => {
            log::info!("connected to the cluster's NATS servers");
            status.is_connected.store(true, Relaxed);
            status.reconnects.fetch_add(1, Relaxed);
        }
        Event::Disconnected | Event::Closed => {
            log::warn!("the connection to the cluster's NATS servers broke; another one is tried");
            status.is_connected.store(false, Relaxed);
        }
        Event::ClientError(async_nats::ClientError::Other(why)) => status.note_trouble(why.clone()),
        Event::ClientError(error) => status.note_trouble(error.to_string()),
        Event::ServerError(error) => status.note_trouble(error.to_string()),
        // What was lost is asked for again.
        Event::SlowConsumer(_) => {}
        event => log::info!("the cluster's NATS server: {event}"),
    }
}

fn unreachable(what: &str, error: &EngineError) -> EngineFault {
    EngineFault::Unreachable(format!("{what}: {}", error.description))
}

/// Returns the epoch of the log whose stream was made at this time, in letters and digits.
fn epoch(created: &str) -> Epoch {
    // The time to the nanosecond, without its signs: no two streams of a name have the same.
    let text: String = created
        .chars()
        .filter(char::is_ascii_digit)
        .take(32)
        .collect();
    let number: u128 = text.parse().unwrap_or_default();
    let mut digits = Vec::new();
    let mut rest = number;
    while rest > 0 || digits.is_empty() {
        let digit = u32::try_from(rest % 36).unwrap_or_default();
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        rest /= 36;
    }
    let text: String = digits.into_iter().rev().collect();
    Epoch::new(&text).unwrap_or_else(Epoch::random)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream has its epoch for good, and another one another.
    #[test]
    fn epoch_names_the_stream() {
        let one = epoch("2026-11-28T03:17:59.478548901Z");
        assert_eq!(one, epoch("2026-11-28T03:17:59.478548901Z"));
        assert_ne!(one, epoch("2026-11-28T03:17:59.478548902Z"));
        assert!(one.as_str().len() <= 16, "{one}");
    }
}
