//! Families: a name, a help text, and a handle for each of their series.
//!
//! All series are made when the process starts, and their handles are kept where they are counted:
//! counting is an addition, and a series that has not counted anything yet says so.

use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, core::Collector,
};

/// Where families are declared.
pub(super) struct Families<'a>(pub(super) &'a Registry);

impl Families<'_> {
    /// Something that only grows.
    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.declare(IntCounter::with_opts(Opts::new(name, help)))
    }

    /// The same, by the values of a label.
    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        (label, values): Label<'_>,
    ) -> Vec<IntCounter> {
        let family = self.declare(IntCounterVec::new(Opts::new(name, help), &[label]));
        let one = |value: &&str| family.with_label_values(&[value]);
        values.iter().map(one).collect()
    }

    /// The same, by the values of two labels: the first one's are the rows.
    pub(super) fn counter_table(
        &self,
        name: &str,
        help: &str,
        (label_of_row, rows): Label<'_>,
        (label, values): Label<'_>,
    ) -> Vec<Vec<IntCounter>> {
        let labels = [label_of_row, label];
        let family = self.declare(IntCounterVec::new(Opts::new(name, help), &labels));
        let row = |row: &&str| {
            let one = |value: &&str| family.with_label_values(&[row, value]);
            values.iter().map(one).collect()
        };
        rows.iter().map(row).collect()
    }

    /// Something that comes and goes.
    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.declare(IntGauge::with_opts(Opts::new(name, help)))
    }

    /// The same with fractions.
    pub(super) fn fraction(&self, name: &str, help: &str) -> Gauge {
        self.declare(Gauge::with_opts(Opts::new(name, help)))
    }

    /// Gauges by the values of a label.
    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        (label, values): Label<'_>,
    ) -> Vec<IntGauge> {
        let family = self.declare(IntGaugeVec::new(Opts::new(name, help), &[label]));
        let one = |value: &&str| family.with_label_values(&[value]);
        values.iter().map(one).collect()
    }

    /// How often something came to how much.
    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.declare(Histogram::with_opts(options))
    }

    /// The same, by the values of a label.
    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        (label, values): Label<'_>,
    ) -> Vec<Histogram> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let family = self.declare(HistogramVec::new(options, &[label]));
        let one = |value: &&str| family.with_label_values(&[value]);
        values.iter().map(one).collect()
    }

    /// A family that is always the same.
    pub(super) fn constant(&self, name: &str, help: &str, labels: &[(&str, &str)]) {
        let (names, values): (Vec<&str>, Vec<&str>) = labels.iter().copied().unzip();
        let family = self.declare(IntGaugeVec::new(Opts::new(name, help), &names));
        family.with_label_values(&values).set(1);
    }

    fn declare<C: Collector + Clone + 'static>(&self, family: prometheus::Result<C>) -> C {
        let family = family.expect("a family's name and labels are well-formed");
        let declared = self.0.register(Box::new(family.clone()));
        declared.expect("each family is declared once");
        family
    }
}

/// A label and all of its values: never what a caller makes up, such as a tenant's name.
pub(super) type Label<'a> = (&'static str, &'a [&'static str]);

/// Declares a label's values as an enum; a variant's number is its value's place.
macro_rules! label {
    (
        $(#[$about:meta])*
        $name:ident in $label:literal {
            $($(#[$about_value:meta])* $variant:ident = $value:literal),* $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about_value])* $variant),*
        }

        impl $name {
            /// The label, and its values in the order of the variants.
            pub(super) const LABEL: $crate::metrics::families::Label<'static> =
                ($label, &[$($value),*]);

            /// Its name, as the label has it.
            pub const fn name(self) -> &'static str {
                Self::LABEL.1[self as usize]
            }
        }
    };
}
pub(super) use label;
