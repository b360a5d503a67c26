//! How connections are kept, shared, repeated on and let go.

use std::time::Duration;

use truc_egress::CallError;

use crate::site::{Act, Site, call, ok, pair, request};

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let site = Site::start(|received| Act::Say(ok(&received.before.to_string()))).await;
    let upstream = site.upstream(&["GET /", "POST /"]);
    for round in 0..20 {
        let entry = if round % 2 == 0 { "GET /" } else { "POST /" };
        assert_eq!(call(&upstream, request(entry)).await.unwrap().body, round.to_string().as_bytes());
    }
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn calls_at_once_keep_to_the_most_connections() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream_with(&["GET /"], |binding| binding.max_connections = 3);
    let calls: Vec<_> = (0..30)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { call(&upstream, request("GET /")).await.unwrap() })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(site.requests().len(), 30);
    assert!(site.most_open() <= 3, "{}", site.most_open());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_of_all_sizes_on_all_threads_come_to_their_end() {
    // Answers by what they are asked for: so many bytes, with a length or in chunks.
    let site = Site::start(|received| {
        let (kind, size) = received.target().trim_start_matches('/').split_once('/').unwrap();
        let body = "x".repeat(size.parse().unwrap());
        match kind {
            "plain" => Act::Say(ok(&body)),
            _ => {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                let chunk =
                    if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
                Act::Say(format!("{head}{chunk}0\r\n\r\n").into_bytes())
            }
        }
    })
    .await;
    let upstream = site.upstream_with(&["GET /{kind}/{size}", "POST /{kind}/{size}"], |binding| {
        binding.max_connections = 8;
    });
    let calls: Vec<_> = (0..32)
        .map(|caller| {
            let upstream = upstream.clone();
            tokio::spawn(async move {
                for (kind, size) in
                    [("plain", 0), ("chunks", 0), ("plain", 1), ("chunks", 70_000), ("plain", 900_000)]
                {
                    let mut request =
                        request(if caller % 2 == 0 { "GET /{kind}/{size}" } else { "POST /{kind}/{size}" });
                    request.parameters = vec![pair("kind", kind), pair("size", &size.to_string())];
                    request.body = (caller % 2 == 1).then(|| vec![b'y'; size]);
                    let response = call(&upstream, request).await.unwrap();
                    assert_eq!(response.body.len(), size);
                }
            })
        })
        .collect();
    for call in calls {
        tokio::time::timeout(Duration::from_secs(60), call).await.expect("a call got stuck").unwrap();
    }
    assert_eq!(site.requests().len(), 32 * 5);
    assert!(site.connections() <= 8, "{}", site.connections());
}

#[tokio::test]
async fn connections_that_the_upstream_will_close_are_not_kept() {
    let site = Site::start(|_| {
        Act::SayAndClose(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec())
    })
    .await;
    let upstream = site.upstream(&["POST /"]);
    for _ in 0..3 {
        call(&upstream, request("POST /")).await.unwrap();
    }
    assert_eq!((site.connections(), site.requests().len()), (3, 3));
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_noticed_before_it_is_used() {
    let site = Site::start(|_| Act::SayAndClose(ok(""))).await;
    let upstream = site.upstream(&["POST /"]);
    for _ in 0..3 {
        call(&upstream, request("POST /")).await.unwrap();
        site.until_open(0).await;
        // One turn of this thread's event loop, which is where the end of the connection is heard of.
        tokio::task::yield_now().await;
    }
    assert_eq!((site.connections(), site.requests().len()), (3, 3));
}

#[tokio::test]
async fn what_is_harmless_to_repeat_is_repeated_once_when_a_kept_connection_fails() {
    // The second request of each connection is read and not answered.
    let site = Site::start(|received| match received.before {
        0 | 2 => Act::Say(ok("")),
        _ => Act::SayAndClose(Vec::new()),
    })
    .await;
    let upstream = site.upstream_with(&["GET /"], |binding| binding.attempts = 2);
    call(&upstream, request("GET /")).await.unwrap();
    call(&upstream, request("GET /")).await.unwrap();
    let connections: Vec<_> = site.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
    // The next one fails on the kept connection, and on the new one as well: that is all.
    let result = call(&upstream, request("GET /")).await;
    assert!(matches!(result, Err(CallError::Interrupted(_))), "{result:?}");
    let connections: Vec<_> = site.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [1, 1, 2, 2, 3]);
}

#[tokio::test]
async fn what_may_have_an_effect_twice_is_not_repeated() {
    for entry in ["POST /", "PATCH /"] {
        let site = Site::start(|received| match received.before {
            0 => Act::Say(ok("")),
            _ => Act::SayAndClose(Vec::new()),
        })
        .await;
        let upstream = site.upstream(&[entry]);
        call(&upstream, request(entry)).await.unwrap();
        assert!(matches!(call(&upstream, request(entry)).await, Err(CallError::Interrupted(_))));
        assert_eq!(site.requests().len(), 2, "{entry}");
    }
}

#[tokio::test]
async fn nothing_is_repeated_where_the_operator_wants_it_so() {
    let site = Site::start(|_| Act::SayAndClose(Vec::new())).await;
    let upstream = site.upstream_with(&["GET /"], |binding| binding.attempts = 1);
    assert!(matches!(call(&upstream, request("GET /")).await, Err(CallError::Interrupted(_))));
    assert_eq!(site.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_nobody_asked_for_is_never_taken_for_the_next_one() {
    let site = Site::start(|received| match received.before {
        0 => Act::Say([ok("first"), ok("poison")].concat()),
        _ => Act::Say(ok("second")),
    })
    .await;
    let upstream = site.upstream(&["GET /"]);
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().body, b"first");
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().body, b"second");
    assert_eq!(site.connections(), 2);
}

#[tokio::test]
async fn a_connection_cut_off_at_the_limit_is_not_kept() {
    let site = Site::start(|received| match received.before {
        0 => Act::Say(ok(&"x".repeat((1 << 20) + 1))),
        _ => Act::Say(ok("next")),
    })
    .await;
    let upstream = site.upstream(&["GET /"]);
    assert_eq!(call(&upstream, request("GET /")).await, Err(CallError::TooLarge(1 << 20)));
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().body, b"next");
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_connection_with_it() {
    let site = Site::start(|received| match received.before {
        0 => Act::SayAndStall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel".to_vec()),
        _ => Act::Say(ok("")),
    })
    .await;
    let upstream = site.upstream_with(&["GET /"], |binding| binding.max_connections = 1);
    let stalled = tokio::spawn({
        let upstream = upstream.clone();
        async move { call(&upstream, request("GET /")).await }
    });
    site.until_open(1).await;
    stalled.abort();
    assert!(stalled.await.unwrap_err().is_cancelled());
    site.until_open(0).await;
    // Its place is free again.
    call(&upstream, request("GET /")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_in_time() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["GET /"]);
    for _ in 0..2 {
        call(&upstream, request("GET /")).await.unwrap();
        site.until_open(1).await;
        tokio::time::advance(Duration::from_secs(21)).await;
        site.until_open(0).await;
    }
    assert_eq!(site.connections(), 2);
}

#[tokio::test]
async fn idle_connections_end_with_their_upstream() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["GET /"]);
    call(&upstream, request("GET /")).await.unwrap();
    drop(upstream);
    site.until_open(0).await;
}
