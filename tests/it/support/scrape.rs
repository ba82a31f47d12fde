//! What a server tells of itself to Prometheus.

use std::{collections::BTreeMap, io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::soon;

/// What a GET is answered with.
pub(crate) struct Fetched {
    /// The first line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Gets a page over HTTP.
pub(crate) async fn fetch(address: SocketAddr, path: &str) -> Fetched {
    let fetched = soon("an answer over HTTP", try_fetch(address, path)).await;
    fetched.expect("it listens")
}

/// Gets a page over HTTP, where somebody listens.
pub(crate) async fn try_fetch(address: SocketAddr, path: &str) -> io::Result<Fetched> {
    let mut stream = TcpStream::connect(address).await?;
    // Of this version, an answer comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok(Fetched {
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// One scrape: series and their values.
pub(crate) struct Scrape {
    pub(crate) text: String,
    series: BTreeMap<String, String>,
}

/// What is said of a family, besides its series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: String,
    /// The names of its labels.
    pub(crate) labels: Vec<String>,
}

impl Scrape {
    /// Scrapes what listens there.
    pub(crate) async fn of(address: SocketAddr) -> Self {
        let fetched = fetch(address, "/metrics").await;
        assert!(fetched.head.contains(" 200 OK"), "{}", fetched.head);
        let text = fetched.body;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.to_owned())
        });
        Self {
            series: series.collect(),
            text,
        }
    }

    /// The value of a series, such as `name{label="value"}`, its labels in alphabetical order.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.said(series).parse().expect("a number")
    }

    /// The same where it counts something.
    pub(crate) fn count(&self, series: &str) -> i64 {
        self.said(series).parse().expect("a whole number")
    }

    fn said(&self, series: &str) -> &str {
        let value = self.series.get(series);
        value.unwrap_or_else(|| panic!("no series {series} in\n{}", self.text))
    }

    /// All families, by name.
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut families = Vec::new();
        let mut help = "";
        for line in self.text.lines() {
            if let Some(said) = line.strip_prefix("# HELP ") {
                help = said.split_once(' ').expect("a help text").1;
            } else if let Some(said) = line.strip_prefix("# TYPE ") {
                let (name, kind) = said.split_once(' ').expect("a type");
                families.push(Family {
                    name: name.to_owned(),
                    help: help.to_owned(),
                    kind: kind.to_owned(),
                    labels: Vec::new(),
                });
            } else if let Some((_, labels)) = line.split_once('{') {
                let labels = labels
                    .split(',')
                    .filter_map(|label| label.split_once("=\""));
                let labels = labels.map(|(name, _)| name.to_owned());
                let family = families.last_mut().expect("a type precedes its series");
                family.labels = labels.filter(|name| name != "le").collect();
            }
        }
        families
    }
}
