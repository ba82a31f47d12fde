//! How much can wait to be written.

/// How much can wait. Beyond it a call is turned away at once, so that it can go elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Of the whole process.
    pub process: QueueLoad,
    /// Of one tenant.
    pub tenant: QueueLoad,
    /// Of one user of a tenant.
    pub user: QueueLoad,
}

/// Commands that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueLoad {
    /// How many.
    pub commands: usize,
    /// How much text they bring, in bytes.
    pub bytes: usize,
}

impl QueueLoad {
    /// Whether one more fits; however large it is, where nothing else waits.
    pub(super) fn has_room_for(self, bytes: usize, limit: Self) -> bool {
        let fits = self.bytes.saturating_add(bytes) <= limit.bytes;
        self.commands < limit.commands && (fits || self.commands == 0)
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.commands += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.commands -= 1;
        self.bytes -= bytes;
    }
}
