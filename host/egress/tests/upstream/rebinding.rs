//! A name server that changes its mind: it answers over UDP with a time to live of 0, and each answer names another
//! address than the one before. `127.0.0.2` and `::1` stand for everything that a connection must never reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::UdpSocket;
use truc_egress::{CallError, Resolver, Resolving};

use crate::site::{Act, Site, answer, bind, call, request};

/// How many calls are made for each way of changing.
const CALLS: usize = 700;

const A: u16 = 1;
const AAAA: u16 = 28;

/// A name server that decides by the number of the query.
struct NameServer {
    address: SocketAddr,
    queries: Arc<AtomicUsize>,
}

impl NameServer {
    async fn start(decide: impl Fn(usize, u16) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let queries = Arc::new(AtomicUsize::new(0));
        let counter = queries.clone();
        tokio::spawn(async move {
            let mut query = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut query).await.unwrap();
                let query = &query[..length];
                let kind = u16::from_be_bytes([query[length - 4], query[length - 3]]);
                let answers = decide(counter.fetch_add(1, Ordering::SeqCst), kind);
                socket.send_to(&reply(query, &answers), from).await.unwrap();
            }
        });
        Self { address, queries }
    }
}

/// A reply (RFC 1035, section 4): the query's own header and question, then the records, each for 0 seconds.
fn reply(query: &[u8], answers: &[IpAddr]) -> Vec<u8> {
    let mut reply = query.to_vec();
    reply[2..4].copy_from_slice(&[0x84, 0]);
    reply[6..8].copy_from_slice(&u16::try_from(answers.len()).unwrap().to_be_bytes());
    for ip in answers {
        let (kind, octets) = match ip {
            IpAddr::V4(ip) => (A, ip.octets().to_vec()),
            IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
        };
        // The name of the question, class IN, and the time to live.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 0]);
        reply.extend(u16::try_from(octets.len()).unwrap().to_be_bytes());
        reply.extend(octets);
    }
    reply
}

/// A resolver that asks one name server each time, for both kinds of address, and remembers nothing.
struct Forgetful(SocketAddr);

impl Resolver for Forgetful {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let mut found = Vec::new();
            for kind in [A, AAAA] {
                let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
                for label in host.split('.') {
                    query.push(u8::try_from(label.len()).unwrap());
                    query.extend(label.bytes());
                }
                query.push(0);
                query.extend(kind.to_be_bytes());
                query.extend([0, 1]);
                let socket = UdpSocket::bind("127.0.0.1:0").await?;
                socket.connect(self.0).await?;
                socket.send(&query).await?;
                let mut reply = [0; 512];
                let length = socket.recv(&mut reply).await?;
                let count = usize::from(reply[7]);
                let mut records = &reply[query.len()..length];
                for _ in 0..count {
                    let (record, rest) = records.split_at(12 + usize::from(records[11]));
                    found.push(match <[u8; 4]>::try_from(&record[12..]) {
                        Ok(octets) => IpAddr::from(octets),
                        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&record[12..]).unwrap()),
                    });
                    records = rest;
                }
            }
            Ok(found)
        })
    }
}

#[tokio::test]
async fn a_name_server_that_changes_its_mind_leads_nobody_astray() {
    const GOOD: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const BAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    const BAD_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let mapped = IpAddr::V6(Ipv4Addr::new(127, 0, 0, 2).to_ipv6_mapped());
    // By the number of the call (two queries each), what A and AAAA say.
    type Mind = Box<dyn Fn(usize, u16) -> Vec<IpAddr> + Send + Sync>;
    let minds: Vec<Mind> = vec![
        Box::new(|call, kind| match (call % 2, kind) {
            (_, AAAA) => vec![],
            (0, _) => vec![GOOD],
            _ => vec![BAD],
        }),
        // The right one first, so that a check of the first alone would pass.
        Box::new(|call, kind| match (call % 3, kind) {
            (_, AAAA) => vec![],
            (0, _) => vec![GOOD],
            (1, _) => vec![GOOD, BAD],
            _ => vec![BAD, GOOD],
        }),
        // A says the right thing for ever, AAAA does not.
        Box::new(move |call, kind| match (call % 4, kind) {
            (_, A) => vec![GOOD],
            (0, _) => vec![],
            (1, _) => vec![BAD_V6],
            (2, _) => vec![mapped],
            _ => vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        }),
    ];
    let site = Site::start(|_| Act::Say(answer(200, &["connection: close"], "upstream"))).await;
    let port = site.address.port();
    let canaries = [
        Site::start_at(SocketAddr::new(BAD, port), |_| Act::Say(answer(200, &[], "canary"))).await,
        Site::start_at(SocketAddr::new(BAD_V6, port), |_| Act::Say(answer(200, &[], "canary"))).await,
    ];
    for mind in minds {
        let server = NameServer::start(move |query, kind| mind(query / 2, kind)).await;
        let mut binding = site.binding();
        binding.address = format!("http://registry.example:{port}").parse().unwrap();
        binding.allow_addresses = vec!["127.0.0.1/32".parse().unwrap()];
        let upstream = bind(&["GET /"], &binding, Forgetful(server.address)).unwrap();
        let (mut reached, mut denied) = (0, 0);
        for _ in 0..CALLS {
            match call(&upstream, request("GET /")).await {
                Ok(answer) => {
                    assert_eq!(answer.body, b"upstream");
                    reached += 1;
                }
                Err(CallError::Denied(_)) => denied += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(reached >= CALLS / 5 && denied >= CALLS / 3, "{reached} {denied}");
        // Asked anew for each connection; what was answered was checked and used, and not asked for again.
        assert_eq!(server.queries.load(Ordering::SeqCst), CALLS * 2);
    }
    assert_eq!(canaries.map(|canary| canary.connections()), [0, 0]);
}
