//! Tails and watchers.

use prometheus::{Gauge, IntCounter, IntGauge};

use super::families::Families;

/// Who watches, and how far the log has been handed out.
pub struct FeedMetrics {
    /// Tenants that somebody watches here, each with a tail.
    pub tails: IntGauge,
    /// The highest log position that was seen among them.
    pub head: IntGauge,
    /// How many events the tail that is furthest behind has not handed out.
    pub lag_events: IntGauge,
    /// For how long the tail that is behind for longest is behind, in seconds.
    pub lag_seconds: Gauge,
    /// Watchers who are told of events as they happen.
    pub live: IntGauge,
    /// Watchers who read the log at their own pace.
    pub catching_up: IntGauge,
    /// Events that watchers were sent.
    pub delivered: IntCounter,
    /// Watchers who left the live set, because more happened than waits for them.
    pub overflowed: IntCounter,
    /// Watchers who were cut off.
    pub stalled: IntCounter,
}

impl FeedMetrics {
    pub(super) fn new(families: &Families<'_>) -> Self {
        let watchers = families.gauges(
            "letterbox_feed_watchers",
            "Watchers, by whether they are up to date or read the log at their own pace.",
            ("state", &["live", "catching_up"]),
        );
        let [live, catching_up] = watchers.try_into().expect("there are two states");
        Self {
            tails: families.gauge(
                "letterbox_feed_tails",
                "Tenants that somebody watches through this process, each with a tail of its log.",
            ),
            head: families.gauge(
                "letterbox_feed_log_head",
                "The highest position that was seen among the logs of the tails.",
            ),
            lag_events: families.gauge(
                "letterbox_feed_lag_events",
                "Events that the tail furthest behind has not handed out yet.",
            ),
            lag_seconds: families.fraction(
                "letterbox_feed_lag_seconds",
                "Time since the tail that is behind for longest was up to date; 0: none is behind.",
            ),
            live,
            catching_up,
            delivered: families.counter(
                "letterbox_feed_events_delivered_total",
                "Events that watchers were sent, each counted once a watcher.",
            ),
            overflowed: families.counter(
                "letterbox_feed_overflows_total",
                "Watchers who fell out of the live set, because too much waited for them.",
            ),
            stalled: families.counter(
                "letterbox_feed_watchers_cut_off_total",
                "Watchers who were cut off, because they took nothing for too long.",
            ),
        }
    }
}
