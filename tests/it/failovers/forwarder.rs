//! An address that stands for whichever server is to be reached.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Passes connections on to a server, for as long as it is not dropped.
pub(super) struct Forwarder {
    address: SocketAddr,
    ways: watch::Sender<Way>,
}

/// Where connections lead.
#[derive(Clone, Copy)]
struct Way {
    to: SocketAddr,
    /// What becomes of those that led elsewhere before.
    silent: bool,
}

impl Forwarder {
    /// A forwarder to this server.
    pub(super) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (ways, way) = watch::channel(Way {
            to: server,
            silent: false,
        });
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, way.clone()));
            }
        });
        Self { address, ways }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections, and leads new ones to this server.
    pub(super) fn turn_to(&self, server: SocketAddr) {
        self.ways.send_replace(Way {
            to: server,
            silent: false,
        });
    }

    /// Passes nothing on any more, and says nothing of it, on all connections but new ones.
    pub(super) fn fall_silent(&self) {
        self.ways.send_modify(|way| way.silent = true);
    }
}

async fn pass_on(mut client: TcpStream, mut way: watch::Receiver<Way>) {
    let to = way.borrow_and_update().to;
    let Ok(mut server) = TcpStream::connect(to).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = way.changed() => {
            if way.borrow_and_update().silent {
                // Both ends stay as they are, until there is another way.
                let _ = way.changed().await;
            }
        }
    }
}
