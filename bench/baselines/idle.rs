//! Watches that stand and are told nothing: what it is measured without, beside.

use std::error::Error;

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use letterbox::pb::{self, messaging_service_client::MessagingServiceClient};
use tokio::task::JoinSet;
use tonic::{
    Request, Status, Streaming,
    transport::{Channel, Endpoint},
};

/// How many streams share a connection.
const STREAMS_A_CONNECTION: usize = 500;

/// How many streams are being opened at a time.
const OPENING: usize = 64;

#[derive(Args)]
pub struct Options {
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:50051")]
    endpoint: String,
    /// How many streams to hold, each of a user of its own
    #[arg(long, default_value_t = 10_000)]
    streams: usize,
    /// Over how many tenants they are spread; several are NAME-0, NAME-1 …
    #[arg(long, default_value_t = 1)]
    tenants: usize,
    /// The tenant
    #[arg(long, value_name = "NAME", default_value = "bench")]
    tenant: String,
}

/// Opens the watches, says so, and holds them until the process is ended.
pub async fn hold(options: Options) -> Result<(), Box<dyn Error>> {
    let endpoint = Endpoint::from_shared(options.endpoint.clone())?;
    let mut channels = Vec::new();
    for _ in 0..options.streams.div_ceil(STREAMS_A_CONNECTION) {
        channels.push(endpoint.connect().await?);
    }
    let opening = stream::iter(channels.iter().cycle().cloned().zip(0..options.streams));
    let opening = opening.map(|(channel, number)| {
        let tenant = match options.tenants {
            1 => options.tenant.clone(),
            many => format!("{}-{}", options.tenant, number % many),
        };
        open(channel, tenant, format!("idle-user-{number}"))
    });
    let streams: Vec<_> = opening.buffer_unordered(OPENING).try_collect().await?;

    println!("{} watches stand", streams.len());
    let mut standing = JoinSet::new();
    for mut stream in streams {
        standing.spawn(async move { while let Ok(Some(_)) = stream.message().await {} });
    }
    standing.join_next().await;
    Err("a watch has ended".into())
}

/// Opens a watch, and waits until it stands.
async fn open(
    channel: Channel,
    tenant: String,
    user: String,
) -> Result<Streaming<pb::WatchMessagesResponse>, Box<dyn Error>> {
    let mut request = Request::new(pb::WatchMessagesRequest::default());
    request.metadata_mut().insert("x-user-id", user.parse()?);
    request
        .metadata_mut()
        .insert("x-tenant-id", tenant.parse()?);
    let mut client = MessagingServiceClient::new(channel);
    let mut stream = client.watch_messages(request).await?.into_inner();
    let ready = stream.message().await?;
    ready.ok_or_else(|| Status::aborted("a watch ended as it began"))?;
    Ok(stream)
}
