//! What the limits that are set come to, for each who keeps them.

use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::connections::ConnectionLimits;
use crate::{
    config::Limits,
    grpc::CallLimits,
    messenger::{QueueLimits, QueueLoad},
};

/// How many files a process has open besides its connections: the database's, and the log.
const OTHER_FILES: usize = 256;

impl From<&Limits> for CallLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            request_bytes: limits.request_bytes_max,
            content_bytes: limits.content_bytes_max,
            receiving_bytes: limits.receiving_bytes_max,
            calls: limits.calls_max,
            timeout: limits.call_timeout_max,
            user_rate: limits.user_rate_max,
            watches: limits.watches_max,
            user_watches: limits.user_watches_max,
        }
    }
}

impl From<&Limits> for QueueLimits {
    /// So that neither one tenant nor one user can fill the queue.
    fn from(limits: &Limits) -> Self {
        let share = |parts| QueueLoad {
            commands: limits.queue_max.get().div_ceil(parts),
            bytes: limits.queue_bytes_max / parts,
        };
        Self {
            process: share(1),
            tenant: share(2),
            user: share(8),
        }
    }
}

impl From<&Limits> for ConnectionLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            connections: limits.connections_max,
            streams: limits.connection_streams_max,
            handshake: limits.handshake_timeout,
            idle: limits.connection_idle_timeout,
            keepalive_interval: limits.keepalive_interval,
            keepalive_timeout: limits.keepalive_timeout,
        }
    }
}

/// Has the system allow as many open files as it ever does, and brings the number of connections
/// down to what that leaves room for; says so where it does.
pub(super) fn fit_open_files(limits: &mut ConnectionLimits) -> Option<String> {
    let files = raise_open_files()?;
    let room = files.saturating_sub(OTHER_FILES).max(1);
    let connections = NonZeroUsize::new(room).filter(|room| *room < limits.connections)?;
    let wanted = std::mem::replace(&mut limits.connections, connections);
    Some(format!(
        "the system allows {files} open files, so that there can be {connections} connections and \
         not {wanted}: raise its limit (ulimit -n), or lower connections-max"
    ))
}

/// How many files may be open; none: any number.
fn raise_open_files() -> Option<usize> {
    let allowed = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: allowed.maximum,
        ..allowed
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => allowed.maximum,
        Err(_) => allowed.current,
    };
    usize::try_from(current?).ok()
}
