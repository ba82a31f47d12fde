//! The layers of the sources: arrows only point down, and some things have one place.
//!
//! What counts is what the code names, as words; comments, texts and tests do not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rstest::rstest;

/// One file of the sources.
struct Source {
    /// Its path under `src`.
    path: String,
    /// Its words and signs, without comments, texts and tests.
    tokens: Vec<String>,
}

impl Source {
    /// The layer that it is in: `store` for `store/sql/rows.rs`, `main` for `main.rs`.
    fn layer(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// Whether it names this; `::` separates words that follow each other.
    fn names(&self, name: &str) -> bool {
        let name = tokens(name);
        self.tokens.windows(name.len()).any(|words| words == name)
    }

    /// The words that are one of these crates, or of those that come with it: `tonic_health`
    /// comes with `tonic`.
    fn names_crate(&self, name: &str) -> bool {
        let family = format!("{name}_");
        self.tokens
            .iter()
            .any(|word| word == name || word.starts_with(&family))
    }
}

/// All files of the sources; those that hold nothing but tests are left out.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    let mut sources = Vec::new();
    let mut of_tests = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a source is a text");
        let (tokens, test_modules) = without_tests(tokens(&text));
        let folder = path.parent().expect("a file is in a folder");
        of_tests.extend(test_modules.iter().map(|name| folder.join(name)));
        sources.push((path, tokens));
    }
    // A module is a file or a folder.
    sources.retain(|(path, _)| {
        let mut modules = of_tests.iter();
        !modules.any(|module| *path == module.with_extension("rs") || path.starts_with(module))
    });
    sources
        .into_iter()
        .map(|(path, tokens)| Source {
            path: path
                .strip_prefix(&root)
                .expect("it is there")
                .display()
                .to_string(),
            tokens,
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// The words and signs of a source, without comments and texts.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_text(rest).or_else(|| quoted(rest)) {
            length
        } else if is_of_word(first) {
            let length = rest.find(|next| !is_of_word(next)).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of a raw text, such as `r#"…"#`, where one begins here.
fn raw_text(rest: &str) -> Option<usize> {
    let from = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let marks = from.len() - from.trim_start_matches('#').len();
    let inside = from[marks..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(marks));
    let length = inside.find(&end)? + end.len();
    Some(rest.len() - inside.len() + length)
}

/// The length of a text or character in quotes, where one begins here; a lifetime is none.
fn quoted(rest: &str) -> Option<usize> {
    let quote = rest
        .chars()
        .next()
        .filter(|first| ['"', '\''].contains(first))?;
    let mut escaped = false;
    for (place, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(place + 1),
            // `'a'` is a character, `'a` a lifetime.
            _ if quote == '\'' && !rest[1..].starts_with('\\') && place > 1 => return None,
            _ => {}
        }
    }
    None
}

/// Leaves out what is compiled for tests only; the names of modules in files of their own that
/// were left out.
fn without_tests(tokens: Vec<String>) -> (Vec<String>, Vec<String>) {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        kept.push(token);
        if !kept.ends_with(&attribute.map(str::to_owned)) {
            continue;
        }
        kept.truncate(kept.len() - attribute.len());
        let mut item = Vec::new();
        let mut depth = 0;
        for token in tokens.by_ref() {
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let ends = depth == 0 && (token == "}" || token == ";");
            item.push(token);
            if ends {
                break;
            }
        }
        if let [.., module, name, end] = item.as_slice()
            && module == "mod"
            && end == ";"
        {
            modules.push(name.clone());
        }
    }
    (kept, modules)
}

/// Checks that no file of a layer names any of these.
#[track_caller]
fn assert_unnamed(layer: &str, crates: &[&str], words: &[&str]) {
    let of_layer: Vec<Source> = sources()
        .into_iter()
        .filter(|source| source.layer() == layer)
        .collect();
    assert!(!of_layer.is_empty(), "src/{layer} has files");
    let mut named = Vec::new();
    for source in &of_layer {
        let crates = crates.iter().filter(|name| source.names_crate(name));
        let words = words.iter().filter(|name| source.names(name));
        named.extend(crates.chain(words).map(|name| (&source.path, name)));
    }
    assert!(named.is_empty(), "{named:?}");
}

/// Checks that only these files, or files of these layers, name any of this.
#[track_caller]
fn assert_only(places: &[&str], names: &[&str]) {
    let mut found = Vec::new();
    for source in sources() {
        if places.contains(&source.path.as_str()) || places.contains(&source.layer()) {
            continue;
        }
        let of_source = names.iter().filter(|name| source.names(name));
        found.extend(of_source.map(|name| (source.path.clone(), *name)));
    }
    assert!(found.is_empty(), "{found:?}");
}

#[rstest]
#[case::model(
    "model",
    &["tonic", "prost", "sqlx", "tokio", "prometheus"],
    &["metrics", "traces", "store", "messenger", "grpc", "server", "config", "telemetry"]
)]
#[case::metrics(
    "metrics",
    &["tonic", "prost", "sqlx", "tokio"],
    &["model", "store", "messenger", "grpc", "server", "config", "telemetry", "traces"]
)]
#[case::store(
    "store",
    &["tonic", "prost"],
    &["traces", "messenger", "grpc", "server", "config", "telemetry"]
)]
#[case::messenger(
    "messenger",
    &["tonic", "prost", "sqlx"],
    &["grpc", "server", "config", "telemetry"]
)]
#[case::grpc("grpc", &["sqlx"], &["store", "server", "config", "telemetry", "bench"])]
#[case::bench(
    "bench",
    &["sqlx"],
    &["model", "store", "messenger", "grpc", "server", "config", "telemetry"]
)]
#[case::health(
    "health",
    &["sqlx"],
    &["model", "store", "messenger", "grpc", "server", "config", "telemetry"]
)]
#[case::import(
    "import",
    &["tonic", "prost"],
    &["store", "grpc", "server", "config", "telemetry"]
)]
#[case::progress(
    "progress",
    &["tonic", "prost", "sqlx"],
    &["model", "store", "messenger", "grpc", "server", "config", "telemetry"]
)]
fn a_layer_names_none_above_it_and_nothing_of_their_trade(
    #[case] layer: &str,
    #[case] crates: &[&str],
    #[case] words: &[&str],
) {
    assert_unnamed(layer, crates, words);
}

#[test]
fn only_the_store_names_a_database_and_an_importer_that_of_others() {
    for source in sources() {
        let named = source.names_crate("sqlx");
        let allowed = ["store", "import"].contains(&source.layer());
        assert!(!named || allowed, "{}", source.path);
    }
}

#[rstest]
#[case::metrics("prometheus", &["metrics"])]
#[case::traces("opentelemetry", &["traces", "telemetry"])]
#[case::spans("tracing_opentelemetry", &["traces", "telemetry"])]
fn only_one_place_knows_how_it_is_told(#[case] name: &str, #[case] places: &[&str]) {
    for source in sources() {
        let named = source.names_crate(name);
        assert!(
            !named || places.contains(&source.layer()),
            "{}",
            source.path
        );
    }
}

#[test]
fn only_one_file_names_status_codes() {
    assert_only(
        &["grpc/status.rs"],
        &[
            "Code::",
            "Status::new",
            "Status::with_details",
            "Status::with_details_and_metadata",
            "Status::with_metadata",
            "Status::with_error_details",
            "Status::with_error_details_vec",
            "Status::from_error",
            "Status::ok",
            "Status::cancelled",
            "Status::unknown",
            "Status::invalid_argument",
            "Status::deadline_exceeded",
            "Status::not_found",
            "Status::already_exists",
            "Status::permission_denied",
            "Status::resource_exhausted",
            "Status::failed_precondition",
            "Status::aborted",
            "Status::out_of_range",
            "Status::unimplemented",
            "Status::internal",
            "Status::unavailable",
            "Status::data_loss",
            "Status::unauthenticated",
        ],
    );
}

#[test]
fn only_one_file_reads_the_clock_and_makes_ids() {
    assert_only(
        &["server/system.rs"],
        &[
            "SystemTime",
            "UNIX_EPOCH",
            "Utc",
            "Local",
            "new_v4",
            "now_v1",
            "now_v6",
            "now_v7",
            "rand",
            "getrandom",
        ],
    );
}

#[test]
fn only_the_outermost_parts_read_settings() {
    let outermost = ["commands", "config", "lib", "main", "server", "telemetry"];
    assert_only(&outermost, &["Settings", "config"]);
    assert_only(&["config", "main"], &["env::"]);
}

#[test]
fn only_one_layer_knows_protobuf() {
    for source in sources() {
        let named = source.names_crate("prost") || source.names("pb");
        // The library shows the generated types to clients, the server its service to them.
        let of_others = source.tokens.join(" ");
        let allowed = match source.path.as_str() {
            "lib.rs" => of_others.contains("pub use grpc :: pb ;"),
            "server/mod.rs" => {
                let services = [
                    "pb :: admin :: admin_service_server ::",
                    "pb :: messaging_service_server ::",
                    "pb :: FILE_DESCRIPTOR_SET",
                ];
                let of_services = services.map(|named| of_others.matches(named).count());
                let all = source.tokens.iter().filter(|word| *word == "pb").count();
                of_services.iter().sum::<usize>() == all
            }
            // A client, which knows what every client knows.
            _ => matches!(source.layer(), "grpc" | "bench" | "health"),
        };
        assert!(!named || allowed, "{} names protobuf", source.path);
    }
}

#[test]
fn comments_texts_and_tests_do_not_count() {
    let text = r##"
        // one
        /* two */ three::four("five", 'x', '\'', b"six", r#"seven "eight" "#, &'nine ten);
        #[cfg(test)]
        mod eleven { fn twelve() { thirteen } }
        #[cfg(test)] mod fourteen;
        fifteen
    "##;
    let (kept, modules) = without_tests(tokens(text));
    let words: Vec<&str> = kept
        .iter()
        .map(String::as_str)
        .filter(|word| word.starts_with(is_of_word) || *word == "::")
        .collect();
    assert_eq!(
        words,
        ["three", "::", "four", "b", "nine", "ten", "fifteen"]
    );
    assert_eq!(modules, ["fourteen"]);
}
