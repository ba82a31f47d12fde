//! What a server tells of itself to Prometheus.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::soon;

/// What a GET over HTTP/1.1 is answered with.
pub(crate) struct Fetched {
    /// The first line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Gets a page over HTTP/1.1.
pub(crate) async fn fetch(address: SocketAddr, path: &str) -> Fetched {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = soon("an answer over HTTP", exchange).await;
    let answer = answer.expect("it listens");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    Fetched {
        head: head.to_owned(),
        body: body.to_owned(),
    }
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
        assert!(
            fetched.head.starts_with("HTTP/1.1 200 OK"),
            "{}",
            fetched.head
        );
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
