//! Input that means harm: requests, tokens, JWTs and metadata, mutated from a committed corpus and
//! sent to a real server. Whatever comes, the answer is one that the contract names.
//!
//! An answer of a kind not seen before makes its input one to mutate further, so the search goes
//! where the server behaves differently; that needs no instrumented build, no nightly compiler and
//! no C++. An input that breaks a promise is kept in the corpus, where every later run begins with
//! it. `LETTERBOX_FUZZ_SECONDS` is how long each of the tests mutates; `CONTRIBUTING.md` says more.

mod jwts;
mod metadata;
mod mutation;
mod requests;
mod tokens;
mod wire;

use std::{
    collections::HashSet,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use tonic::Status;

use self::mutation::Chance;
use crate::support::prelude::*;

/// How long each test mutates, where nobody says.
const SECONDS: u64 = 1;

/// How long a server is kept before the next one begins with an empty database.
const ROUND: Duration = Duration::from_mins(1);

/// How many inputs are under way at once.
const AT_ONCE: usize = 32;

/// How large an input is that is kept for its kind alone.
const KEPT_BYTES_MAX: usize = 2_000;

/// How many inputs of a new kind are mutated further.
const POOL_MAX: usize = 4_096;

/// Something of the server that takes input.
trait Target: Sized + Sync {
    /// The folder of its corpus.
    const NAME: &'static str;

    /// What such inputs are made of.
    const WORDS: &'static [&'static str];

    /// On a server of its own.
    async fn start(database: Database) -> Self;

    /// Inputs that only this server takes, such as its own tokens.
    fn seeds(&self) -> Vec<Vec<u8>>;

    /// Changes an input.
    fn mutate(chance: &mut Chance, input: &mut Vec<u8>, others: &[Vec<u8>]) {
        mutation::mutate(chance, input, others, Self::WORDS);
    }

    /// Sends an input. What kind of answer came, or the promise that it breaks.
    async fn attempt(&self, input: &[u8]) -> Result<String, String>;
}

/// Sends the whole corpus, then what is mutated from it, until the time is up.
async fn fuzz<T: Target>(database: Database) {
    let seconds = env::var("LETTERBOX_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut search = Search::of(corpus::<T>());
    loop {
        let target = T::start(database).await;
        let round = end.min(Instant::now() + ROUND);
        search.begin(&target).await;
        while Instant::now() < round {
            let inputs = search.mutated::<T>();
            search.all(&target, inputs).await;
        }
        if Instant::now() >= end {
            break;
        }
    }
    let (count, kinds) = (search.count, search.kinds.len());
    println!("{}: {count} inputs, {kinds} kinds of answers", T::NAME);
}

/// A search for inputs that are answered otherwise than those before.
struct Search {
    chance: Chance,
    /// What is mutated: the corpus, and what was of a new kind.
    pool: Vec<Vec<u8>>,
    /// What is mutated as often: what only this server takes.
    seeds: Vec<Vec<u8>>,
    kinds: HashSet<String>,
    count: u64,
    /// How many inputs of a new kind go into the corpus.
    to_keep: usize,
}

impl Search {
    fn of(corpus: Vec<Vec<u8>>) -> Self {
        let to_keep = env::var("LETTERBOX_FUZZ_KEEP").ok();
        Self {
            chance: Chance::new(),
            pool: corpus,
            seeds: Vec::new(),
            kinds: HashSet::new(),
            count: 0,
            to_keep: to_keep.map_or(0, |text| text.parse().expect("how many to keep")),
        }
    }

    /// Sends all that is there, to a server that has seen none of it.
    async fn begin<T: Target>(&mut self, target: &T) {
        self.seeds = target.seeds();
        let inputs = [self.pool.clone(), self.seeds.clone()].concat();
        self.all(target, inputs).await;
    }

    async fn all<T: Target>(&mut self, target: &T, inputs: Vec<Vec<u8>>) {
        let answers = stream::iter(inputs)
            .map(async |input| (target.attempt(&input).await, input))
            .buffer_unordered(AT_ONCE);
        let mut answers = pin!(answers);
        while let Some((answer, input)) = answers.next().await {
            self.count += 1;
            match answer {
                Ok(kind) => {
                    if !self.kinds.insert(kind) || self.pool.len() >= POOL_MAX {
                        continue;
                    }
                    let there = self.pool.contains(&input) || self.seeds.contains(&input);
                    if self.to_keep > 0 && !there && input.len() <= KEPT_BYTES_MAX {
                        self.to_keep -= 1;
                        keep::<T>("kind", &input);
                    }
                    self.pool.push(input);
                }
                Err(broken) => panic!("{broken}: {}", keep::<T>("found", &input)),
            }
        }
    }

    fn mutated<T: Target>(&mut self) -> Vec<Vec<u8>> {
        let mutated = (0..16 * AT_ONCE).map(|_| {
            let of_this_server = self.pool.is_empty() || self.chance.once_in(2);
            let inputs = if of_this_server {
                &self.seeds
            } else {
                &self.pool
            };
            let mut input = self.chance.of(inputs).clone();
            T::mutate(&mut self.chance, &mut input, inputs);
            input
        });
        mutated.collect()
    }
}

fn folder<T: Target>() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/fuzz/corpus")
        .join(T::NAME)
}

fn corpus<T: Target>() -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder::<T>()).expect("a corpus");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let inputs = paths.iter().map(|path| fs::read(path).expect("an input"));
    inputs.collect()
}

/// Keeps an input in the corpus, for every later run to begin with.
fn keep<T: Target>(why: &str, input: &[u8]) -> String {
    let name = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let path = folder::<T>().join(format!("{why}-{name:016x}"));
    fs::write(&path, input).expect("the input is kept");
    path.display().to_string()
}

/// What is said of every answer: its kind, or the promise that it breaks.
fn judged(status: &Status) -> Result<String, String> {
    match status.code() {
        Code::Ok => return Ok("OK".into()),
        // The service has no words for these.
        Code::Unimplemented | Code::Cancelled => return Ok(format!("{:?}", status.code())),
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable => {
            return Err(format!("{status:?}"));
        }
        _ => {}
    }
    let read = catch_unwind(AssertUnwindSafe(|| Refusal::of(status)));
    let refusal = read.map_err(|_| format!("not as refusals are: {status:?}"))?;
    for inner in [
        "sql",
        "SELECT",
        "panicked",
        ".rs:",
        "/src/",
        "error returned",
    ] {
        if refusal.message.contains(inner) {
            return Err(format!("it names {inner}: {status:?}"));
        }
    }
    let mut fields = refusal.fields;
    for field in &mut fields {
        // Which element it was makes no new kind.
        field.retain(|character| !character.is_ascii_digit());
    }
    fields.sort_unstable();
    fields.dedup();
    Ok(format!("{} {}", refusal.reason, fields.join(" ")))
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_bytes_a_request_has_its_answer_is_one_of_the_contracts(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    fuzz::<requests::Requests>(database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_taken_but_those_that_the_service_made() {
    fuzz::<tokens::Tokens>(Database::Sqlite).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_jwt_is_taken_but_those_that_say_all_that_they_must(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    fuzz::<jwts::Jwts>(database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_metadata_makes_anybody_somebody_else() {
    fuzz::<metadata::Metadata>(Database::Sqlite).await;
}
