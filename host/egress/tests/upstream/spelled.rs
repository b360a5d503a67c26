//! Every spelling of a forbidden target, in every field that a connector controls; and whatever else a connector may put
//! there. Canaries listen wherever a spelling could lead on this machine. What the upstream itself receives is read
//! by the strictest reader there is.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use truc_egress::{Binding, CallError, Request, Upstream};

use crate::site::{HANDLE, NoNames, bind, call, ok};
use crate::spellings::{Aim, Field, spellings};
use crate::strict::{self, Message};

/// What the upstream may be asked for.
const ALLOW: &[&str] = &["GET /items/{id}", "POST /items"];

/// A server that reads strictly and notes what it reads, faults too.
struct Reader {
    address: SocketAddr,
    last: Arc<Mutex<Option<Message>>>,
    count: Arc<AtomicUsize>,
    faults: Arc<Mutex<Vec<String>>>,
}

impl Reader {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reader = Self { address, last: Arc::default(), count: Arc::default(), faults: Arc::default() };
        let (last, count, faults) = (reader.last.clone(), reader.count.clone(), reader.faults.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (last, count, faults) = (last.clone(), count.clone(), faults.clone());
                tokio::spawn(async move {
                    let mut buffer = Vec::new();
                    while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
                        match strict::read(&buffer, &address.to_string()) {
                            Ok(None) => {}
                            Ok(Some(message)) => {
                                buffer.clear();
                                *last.lock().unwrap() = Some(message);
                                count.fetch_add(1, Ordering::SeqCst);
                                stream.write_all(&ok("upstream")).await.unwrap();
                            }
                            Err(fault) => return faults.lock().unwrap().push(fault),
                        }
                    }
                });
            }
        });
        reader
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn last(&self) -> Message {
        self.last.lock().unwrap().clone().unwrap()
    }

    fn upstream(&self) -> Arc<Upstream> {
        let binding = Binding::to(format!("http://{}", self.address).parse().unwrap());
        bind(ALLOW, &binding, NoNames).unwrap()
    }
}

/// Listens wherever a spelling could lead on this machine, and counts who comes.
async fn canaries(upstream: SocketAddr) -> (u16, Arc<AtomicUsize>) {
    let reached = Arc::new(AtomicUsize::new(0));
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = first.local_addr().unwrap().port();
    let mut listeners = vec![first];
    // Some of them may be taken by another test; the first one, which most spellings name, is ours.
    for address in
        [("127.0.0.2", port), ("::1", port), ("127.0.0.2", upstream.port()), ("::1", upstream.port())]
    {
        listeners.extend(TcpListener::bind(address).await);
    }
    for listener in listeners {
        let reached = reached.clone();
        tokio::spawn(async move {
            loop {
                let _somebody = listener.accept().await.unwrap();
                reached.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    (port, reached)
}

fn request(aim: Aim) -> Request {
    Request {
        method: aim.method.parse().unwrap(),
        path: aim.path,
        parameters: aim.parameters,
        query: aim.query,
        headers: aim.headers,
        body: aim.body.map(String::into_bytes),
    }
}

#[tokio::test]
async fn no_spelling_in_any_field_leads_anywhere_but_to_the_upstream() {
    let reader = Reader::start().await;
    let (port, reached) = canaries(reader.address).await;
    let upstream = reader.upstream();
    // The handle is looked up by the sandbox, long before.
    let fields: Vec<Field> = Field::ALL.iter().copied().filter(|field| *field != Field::Handle).collect();
    let (mut attempts, mut sent) = (0, 0);
    for (turn, spelling) in spellings(port).iter().enumerate() {
        // Each spelling in some of the fields, so that each field sees some of every shape.
        for field in fields.iter().skip(turn % 4).step_by(4) {
            attempts += 1;
            let aim = field.aim(HANDLE, spelling, turn);
            let answer = call(&upstream, request(aim.clone())).await;
            match answer {
                Ok(answer) => {
                    sent += 1;
                    assert_eq!(answer.body, b"upstream");
                    arrived_as_meant(&aim, &reader.last());
                }
                Err(CallError::Denied(text)) => {
                    assert!(text.contains(HANDLE) && !text.chars().any(char::is_control), "{text}");
                }
                Err(error) => panic!("{field:?} {spelling:?}: {error}"),
            }
            assert_eq!(reader.count(), sent, "{field:?} {spelling:?}");
        }
    }
    assert!(attempts >= 10_000 && sent >= 1_000, "{sent} of {attempts} were sent");
    assert_eq!(*reader.faults.lock().unwrap(), [""; 0]);
    assert_eq!(reached.load(Ordering::SeqCst), 0, "a canary was reached");
}

/// What was sent is what was meant: the spelling is data in its place, and everything else as without it.
fn arrived_as_meant(aim: &Aim, message: &Message) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let (path, query) = message.target.split_once('?').unwrap_or((&message.target, ""));
    match aim.method {
        "GET" => assert_eq!(decoded(path.strip_prefix("/items/").unwrap()), aim.parameters[0].1),
        _ => assert_eq!(path, "/items"),
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap());
    let pairs: Vec<_> = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
    assert_eq!(pairs, aim.query);
    assert_eq!(message.body, aim.body.as_deref().unwrap_or_default().as_bytes());
    assert_eq!(message.method, aim.method);
    let lengths = usize::from(aim.method == "POST");
    assert_eq!(message.fields.len(), 2 + lengths + aim.headers.len(), "{message:?}");
}

/// Whatever addresses operators might be talked into.
#[test]
fn an_address_with_a_spelling_in_it_is_refused_or_leads_where_it_says() {
    let mut refused = 0;
    for spelling in spellings(9) {
        for text in [
            spelling.clone(),
            format!("http://{spelling}"),
            format!("http://registry.example{spelling}"),
            format!("http://registry.example/{spelling}"),
        ] {
            let Ok(address) = text.parse::<truc_egress::Address>() else {
                refused += 1;
                continue;
            };
            let plain = text.trim_end_matches('/').to_ascii_lowercase();
            let authority = plain.trim_start_matches("http://").split('/').next().unwrap();
            let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((host, _)) => host,
                // What is taken reads back as it was written: nothing was decoded, folded or dropped on the way.
                None => {
                    assert_eq!(address.to_string().to_ascii_lowercase(), plain);
                    authority.split(':').next().unwrap()
                }
            };
            // A name needs ranges; an address is exactly the one that was written, and not another one inside it.
            if bind(ALLOW, &Binding::to(address), NoNames).is_ok() {
                let ip = host.parse::<IpAddr>();
                assert!(ip.is_ok_and(|ip| ip.to_canonical() == ip), "{text}");
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}

/// Fields and bodies that try to be more than one message.
fn field() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        any::<String>(),
        "[a-zA-Z_-]{1,12}",
        "(?i)(x[-_])?(host|content[-_]length|transfer[-_]encoding|te|trailer|upgrade|connection)[ \r\n:]{0,2}",
    ];
    let value = prop_oneof![
        any::<String>(),
        "[ -~]{0,20}",
        "(chunked|identity|0|5|close)?[ \t]{0,2}(\r?\n)?(host: evil|GET / HTTP/1.1|content-length: 1)?(\r\n){0,2}",
    ];
    (name, value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        "(0\r\n\r\n)?(GET|POST) /items HTTP/1.1\r\nhost: evil\r\n(content-length: [0-9]{1,2}\r\n)?\r\n"
            .prop_map(String::into_bytes),
        "[0-9a-f]{1,3}\r\n[a-z]{0,8}\r\n0\r\n\r\n".prop_map(String::into_bytes),
    ]
}

/// With `PROPTEST_CASES` in the environment as many cases as it says.
#[test]
fn no_fields_and_body_together_are_more_than_one_message() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (reader, upstream) = runtime.block_on(async {
        let reader = Reader::start().await;
        let upstream = reader.upstream();
        (reader, upstream)
    });
    proptest!(|(fields in prop::collection::vec(field(), 0..3), body in body())| {
        let before = reader.count();
        let request = Request {
            method: "POST".parse().unwrap(),
            path: "/items".to_owned(),
            parameters: Vec::new(),
            query: Vec::new(),
            headers: fields.clone(),
            body: Some(body.clone()),
        };
        let sent = runtime.block_on(call(&upstream, request));
        prop_assert!(matches!(&sent, Ok(_) | Err(CallError::Denied(_))), "{sent:?}");
        prop_assert_eq!(reader.count() - before, usize::from(sent.is_ok()));
        if sent.is_ok() {
            let message = reader.last();
            prop_assert_eq!(message.body, body);
            prop_assert_eq!(message.fields.len(), 3 + fields.len());
        }
        let faults = reader.faults.lock().unwrap();
        prop_assert!(faults.is_empty(), "{:?}", faults);
    });
}
