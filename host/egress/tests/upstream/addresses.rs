//! Where connections may go. `127.0.0.1` stands for the upstream; `127.0.0.2`, with the same port, for everything
//! that a connection must never reach.

use std::net::SocketAddr;

use truc_egress::{BindFault, Binding, CallError, Pin};

use crate::site::{Act, Names, NoNames, Site, answer, bind, call, ok, request};

/// An upstream, and a canary at the same port of another address.
async fn pair() -> (Site, Site) {
    loop {
        let site = Site::start(|_| Act::Say(answer(200, &["connection: close"], "upstream"))).await;
        let elsewhere = SocketAddr::new("127.0.0.2".parse().unwrap(), site.address.port());
        // Some other test may have the port at that address.
        if tokio::net::TcpListener::bind(elsewhere).await.is_ok() {
            return (site, Site::start_at(elsewhere, |_| Act::Say(ok("canary"))).await);
        }
    }
}

fn binding(site: &Site, ranges: &[&str]) -> Binding {
    let mut binding = site.binding();
    binding.address = format!("http://registry.example:{}", site.address.port()).parse().unwrap();
    binding.allow_addresses = ranges.iter().map(|range| range.parse().unwrap()).collect();
    binding
}

#[tokio::test]
async fn a_name_outside_the_ranges_is_not_called() {
    let (site, canary) = pair().await;
    for answer in [
        &["127.0.0.2"][..],
        &["::ffff:127.0.0.2"],
        &["::ffff:7f00:2"],
        &["127.0.0.1", "127.0.0.2"],
        &["127.0.0.2", "127.0.0.1"],
        &["::1"],
        &["169.254.169.254"],
        &["0.0.0.0"],
        &["::"],
    ] {
        let names = Names::default().with("registry.example", &[answer]);
        let upstream = bind(&["GET /"], &binding(&site, &["127.0.0.1/32"]), names).unwrap();
        let Err(CallError::Denied(text)) = call(&upstream, request("GET /")).await else {
            panic!("{answer:?}")
        };
        assert!(
            text.contains("`registry`") && !text.contains("127.0.0") && !text.contains("example"),
            "{text}"
        );
    }
    assert_eq!((site.connections(), canary.connections()), (0, 0));
}

#[tokio::test]
async fn addresses_are_compared_in_their_plain_form() {
    let (site, _canary) = pair().await;
    let names = Names::default().with("registry.example", &[&["::ffff:127.0.0.1"]]);
    let upstream = bind(&["GET /"], &binding(&site, &["127.0.0.1/32"]), names).unwrap();
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().body, b"upstream");
    assert_eq!(site.request().field("host"), [format!("registry.example:{}", site.address.port())]);
}

#[tokio::test]
async fn no_range_allows_addresses_that_are_nobodys() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    for answer in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "::ffff:0.0.0.0"] {
        let names = Names::default().with("registry.example", &[&[answer]]);
        let upstream = bind(&["GET /"], &binding(&site, &["0.0.0.0/0", "::/0"]), names).unwrap();
        let result = call(&upstream, request("GET /")).await;
        assert!(matches!(result, Err(CallError::Denied(_))), "{answer}: {result:?}");
    }
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_leads_nowhere() {
    let (site, canary) = pair().await;
    let names = Names::default()
        .with("registry.example", &[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1"], &["127.0.0.2"]]);
    let upstream = bind(&["GET /"], &binding(&site, &["127.0.0.1/32"]), names.clone()).unwrap();
    for round in 1..=10 {
        let result = call(&upstream, request("GET /")).await;
        match round {
            1 | 3 => assert_eq!(result.unwrap().body, b"upstream"),
            _ => assert!(matches!(result, Err(CallError::Denied(_))), "{result:?}"),
        }
        // Looked up once for each connection: what was checked is what was used.
        assert_eq!(names.asked(), round);
    }
    assert_eq!((site.connections(), canary.connections()), (2, 0));
}

#[tokio::test]
async fn an_upstream_that_is_not_there() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let mut gone = site.binding();
    // Nothing listens at this address.
    gone.address = format!("http://127.0.0.9:{}", site.address.port()).parse().unwrap();
    let unnamed = bind(&["GET /"], &binding(&site, &["127.0.0.0/8"]), Names::default()).unwrap();
    let empty = Names::default().with("registry.example", &[&[]]);
    for upstream in [
        bind(&["GET /"], &gone, NoNames).unwrap(),
        unnamed,
        bind(&["GET /"], &binding(&site, &["127.0.0.0/8"]), empty).unwrap(),
    ] {
        let Err(CallError::Unreachable(text)) = call(&upstream, request("GET /")).await else { panic!() };
        assert!(text.contains("`registry`") && !text.contains("127.") && !text.contains("example"), "{text}");
    }
}

#[tokio::test]
async fn bindings_are_checked_before_anything_is_called() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let fault = |change: &dyn Fn(&mut Binding)| {
        let mut binding = site.binding();
        change(&mut binding);
        let error = bind(&["GET /"], &binding, NoNames).unwrap_err();
        assert!(error.to_string().starts_with("upstream `registry`: "), "{error}");
        error.fault
    };
    let address = |text: &'static str| move |binding: &mut Binding| binding.address = text.parse().unwrap();
    assert!(
        matches!(fault(&address("http://registry.example")), BindFault::NoRanges { host } if host == "registry.example")
    );
    let ranges = |range: &'static str| {
        move |binding: &mut Binding| binding.allow_addresses = vec![range.parse().unwrap()]
    };
    assert!(matches!(fault(&ranges("10.0.0.0/8")), BindFault::OutsideRanges { .. }));
    assert!(matches!(fault(&ranges("::ffff:127.0.0.0/104")), BindFault::MappedRange { .. }));
    assert!(matches!(fault(&|binding| binding.max_connections = 0), BindFault::Connections(0)));
    assert!(matches!(fault(&|binding| binding.max_connections = 1025), BindFault::Connections(1025)));
    assert!(matches!(
        fault(&|binding| binding.timeouts.first_byte.0 = 0),
        BindFault::Timeout { name: "firstByte", .. }
    ));
    assert!(matches!(
        fault(&|binding| binding.timeouts.total.0 = 600_001),
        BindFault::Timeout { name: "total", .. }
    ));
    assert!(matches!(fault(&|binding| binding.timeouts.wait.0 = 0), BindFault::Timeout { name: "wait", .. }));
    for attempts in [0, 6] {
        assert!(matches!(fault(&|binding| binding.attempts = attempts), BindFault::Attempts(_)));
    }
    for calls in [0, 1025] {
        assert!(matches!(fault(&|binding| binding.max_calls = Some(calls)), BindFault::Calls(_)));
    }
    assert!(matches!(fault(&|binding| binding.breaker.failures = 1001), BindFault::BreakerFailures(1001)));
    assert!(matches!(
        fault(&|binding| binding.breaker.pause.0 = 0),
        BindFault::BreakerPause { name: "pause", .. }
    ));
    assert!(matches!(
        fault(&|binding| binding.breaker.longest_pause.0 = 600_001),
        BindFault::BreakerPause { name: "longestPause", .. }
    ));
    assert!(matches!(fault(&|binding| binding.ca = Some(String::new())), BindFault::CaWithoutTls));
    assert!(matches!(fault(&|binding| binding.pins = vec![Pin::of(b"key")]), BindFault::PinsWithoutTls));
    assert_eq!(site.connections(), 0);
}
