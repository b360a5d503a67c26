//! Request smuggling: byte sequences that two servers might read as different requests. Each is followed by what an
//! attacker would have taken for a request of its own.

use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use truc_listen::Manners;
use truc_model::Millis;

use crate::server::{Seen, Server, answers, rest};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// A sequence, as `smuggling.json` has it.
#[derive(Deserialize)]
struct Row {
    name: String,
    bytes: String,
    comes: Comes,
    /// The body of the request, where there is one.
    #[serde(default)]
    body: String,
}

/// What comes of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Comes {
    /// One request that is refused for its framing; its connection ends.
    Refused,
    /// Nothing: hyper itself finds no request; its connection ends.
    Nothing,
    /// One request whose body is refused; its connection ends.
    Broken,
    /// One request; what follows belongs to it.
    One,
    /// One request, and what follows is the next one, as everybody reads it.
    Next,
    /// The same with no request at all before.
    Only,
}

/// A request that is refused.
const TWO_FRAMINGS: &str =
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn no_sequence_of_bytes_is_read_as_two_requests_that_others_read_as_one() {
    let table: Vec<Row> = serde_json::from_str(include_str!("../smuggling.json")).unwrap();
    assert!(table.len() >= 60);
    let mut rows = JoinSet::new();
    for row in table {
        rows.spawn(async move {
            for pieces in [usize::MAX, 1] {
                let came = sent(&row, pieces).await;
                let Row { name, bytes, comes, .. } = &row;
                assert_eq!(came, Ok(()), "{name}, in pieces of {pieces}: {comes:?}\n{bytes:?}");
            }
        });
    }
    while let Some(row) = rows.join_next().await {
        row.unwrap();
    }
}

/// Sends a sequence and what is to be smuggled in it; says what came of it if it was not what was expected.
async fn sent(row: &Row, pieces: usize) -> Result<(), String> {
    let comes = row.comes;
    // So long that nothing ends for a lack of patience.
    let server = Server::start(Manners { header_timeout: Millis(60_000), ..Manners::default() }).await;
    let mut stream = server.connect().await;
    stream.set_nodelay(true).unwrap();
    let all = format!("{}{SMUGGLED}", row.bytes);
    for piece in all.as_bytes().chunks(pieces.min(all.len())) {
        // A server that refuses early may have closed its side by now.
        let _ = stream.write_all(piece).await;
        tokio::task::yield_now().await;
    }
    let mut answered = match comes {
        Comes::Next => answers(&mut stream, 2).await,
        Comes::One | Comes::Only => answers(&mut stream, 1).await,
        Comes::Refused | Comes::Nothing | Comes::Broken => String::new(),
    };
    if answered.is_empty() {
        answered = rest(&mut stream).await;
    }
    let seen = server.seen();
    let smuggled = || Seen::Request("GET /smuggled".to_owned(), Ok(String::new()));
    let request = match &*seen {
        [Seen::Request(what, Ok(body)), ..] => what.ends_with(" /a") && *body == row.body,
        _ => false,
    };
    let statuses: Vec<&str> =
        answered.match_indices("HTTP/1.1 ").filter_map(|(at, _)| answered.get(at + 9..at + 12)).collect();
    let as_expected = match comes {
        Comes::Refused => {
            matches!(&*seen, [Seen::Fault(_)])
                && statuses == ["400"]
                && answered.contains("connection: close")
        }
        Comes::Nothing => seen.is_empty() && (statuses.is_empty() || statuses == ["400"]),
        Comes::Broken => matches!(&*seen, [Seen::Request(_, Err(400))]) && statuses == ["400"],
        Comes::One => seen.len() == 1 && request && statuses == ["200"],
        Comes::Next => seen.len() == 2 && request && seen[1] == smuggled() && statuses == ["200", "200"],
        Comes::Only => seen == [smuggled()] && statuses == ["200"],
    };
    if as_expected { Ok(()) } else { Err(format!("{seen:?}: {answered}")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_after_a_refusal_however_long_it_takes() {
    let server = Server::start(Manners::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(TWO_FRAMINGS.as_bytes()).await.unwrap();
    for _ in 0..100 {
        if stream.write_all(SMUGGLED.as_bytes()).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let _ = rest(&mut stream).await;
    assert!(matches!(&*server.seen(), [Seen::Fault(_)]), "{:?}", server.seen());
}
