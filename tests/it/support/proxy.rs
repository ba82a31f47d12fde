//! What lies between Letterbox and Postgres: a network that can be cut, slow, or silent, and an
//! address that stands for whichever server is to be reached.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::locked;

/// How a commit is sent: as a text that ends with NUL.
const COMMIT: &[u8] = b"COMMIT\0";

/// What a statement says that commits what it saves.
const COMMITS_ITSELF: &[u8] = b"FOR UPDATE SKIP LOCKED";

/// A proxy for TCP.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

/// Where a connection is cut that carries a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The commit is not passed on.
    Before,
    /// The commit is carried out, and its answer is lost.
    After,
}

/// How bytes are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// At once.
    Well,
    /// Each after a while.
    Slow(Duration),
}

struct Shared {
    target: Mutex<SocketAddr>,
    network: watch::Sender<Network>,
    /// Counts how often all connections were cut.
    cuts: watch::Sender<u64>,
    /// Counts how often the connections of the moment fell silent.
    silences: watch::Sender<u64>,
    at_commit: Mutex<Option<Cut>>,
}

impl Proxy {
    /// Listens on a free port, and leads to this server.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port that is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            network: watch::Sender::new(Network::Well),
            cuts: watch::Sender::new(0),
            silences: watch::Sender::new(0),
            at_commit: Mutex::new(None),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            listening,
        }
    }

    /// Leads to the server of a database; with the database's URL by way of it.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let server = url.split(['@', '/']).find_map(|part| part.parse().ok());
        let server: SocketAddr = server.expect("a server's address");
        let proxy = Self::to(server).await;
        let url = url.replace(&server.to_string(), &proxy.address.to_string());
        (proxy, url)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts all connections, and leads new ones to this server.
    pub(crate) fn turn_to(&self, server: SocketAddr) {
        self.lead_to(server);
        self.cut();
    }

    /// Leads new connections to this server; those of the moment stay.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        *locked(&self.shared.target) = server;
    }

    /// Cuts the connection that carries the next commit.
    pub(crate) fn cut_at_commit(&self, cut: Cut) {
        *locked(&self.shared.at_commit) = Some(cut);
    }

    /// Passes everything on after a while only.
    pub(crate) fn be_slow(&self, delay: Duration) {
        self.shared.network.send_replace(Network::Slow(delay));
    }

    /// Passes everything on at once.
    pub(crate) fn be_well(&self) {
        self.shared.network.send_replace(Network::Well);
    }

    /// Leaves the connections of the moment half-open: they pass nothing on until they are cut,
    /// and neither end is told so. Those that come are well.
    pub(crate) fn fall_silent(&self) {
        self.shared.silences.send_modify(|silences| *silences += 1);
    }

    /// Forgets the commit that is to be cut.
    pub(crate) fn let_commits_pass(&self) {
        *locked(&self.shared.at_commit) = None;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass_on(client, Arc::clone(&shared)));
    }
}

/// Passes on what a connection carries, until it ends on either side; both are closed then.
async fn pass_on(mut client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let mut silences = shared.silences.subscribe();
    let target = *locked(&shared.target);
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    let mut commits = Commits::default();
    let (mut up, mut down) = (vec![0; 64 * 1_024], vec![0; 64 * 1_024]);
    let passing = async {
        loop {
            tokio::select! {
                read = client.read(&mut up) => {
                    let sent = &up[..read.ok().filter(|count| *count > 0)?];
                    shared.pass().await;
                    let cut = commits.are_in(sent).then(|| shared.next_cut()).flatten();
                    if cut == Some(Cut::Before) {
                        return None;
                    }
                    server.write_all(sent).await.ok()?;
                    if cut == Some(Cut::After) {
                        let _ = server.read(&mut down).await;
                        return None::<()>;
                    }
                }
                read = server.read(&mut down) => {
                    let sent = &down[..read.ok().filter(|count| *count > 0)?];
                    shared.pass().await;
                    client.write_all(sent).await.ok()?;
                }
            }
        }
    };
    let passing = async {
        tokio::select! {
            _ = passing => {}
            _ = silences.changed() => std::future::pending().await,
        }
    };
    tokio::select! {
        () = passing => {}
        _ = cuts.changed() => {}
    }
}

impl Shared {
    /// Waits for as long as the network has what is passed on wait.
    async fn pass(&self) {
        let network = *self.network.borrow();
        match network {
            Network::Well => {}
            Network::Slow(delay) => tokio::time::sleep(delay).await,
        }
    }

    fn next_cut(&self) -> Option<Cut> {
        locked(&self.at_commit).take()
    }
}

/// What commits on one connection: a text, or a prepared statement that is run.
#[derive(Default)]
struct Commits {
    /// The names of statements that commit what they save, each between NULs.
    statements: Vec<Vec<u8>>,
}

impl Commits {
    fn are_in(&mut self, sent: &[u8]) -> bool {
        let holds = |text: &[u8]| sent.windows(text.len()).any(|window| window == text);
        match sent {
            // Parse: a length of four bytes, a name, a text.
            [b'P', _, _, _, _, rest @ ..] if holds(COMMITS_ITSELF) => {
                let name = rest.split(|byte| *byte == 0).next().unwrap_or_default();
                self.statements.push([b"\0", name, b"\0"].concat());
                false
            }
            // Bind: the names of a portal and a statement.
            [b'B', ..] => self.statements.iter().any(|name| holds(name)),
            _ => holds(COMMIT),
        }
    }
}
