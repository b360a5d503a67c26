//! Faults, call counts and the admin address.

use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use truc_simulators::{FaultKind, System, credentials};

use crate::client::{Answer, Bench};
use crate::payment;

/// One harmless call of each system.
async fn call(bench: &Bench, system: System) -> Answer {
    let (method, path, body) = match system {
        System::CivilStatus => (Method::POST, "/apiHoTichTuPhap/danhMuc", json!({"loaiDanhMuc": "5"})),
        System::Land => (Method::GET, "/hoso/H56.14-250630-0012", Value::Null),
        System::Insurance => (Method::POST, "/apiBHXH/getTraCuuTtHgdByMaSoBhxh", json!({"maSoBhxh": "0"})),
        System::Postal => (Method::POST, "/apiVNPostNGSP/p1.0/order/price", json!({})),
        System::Payment => (Method::POST, "/thanhtoan/query", query()),
    };
    bench.call(system, method, path, &body).await
}

fn query() -> Value {
    let mut message = json!({
        "LoaiBanTin": "QUERY", "PhienBan": "1.0.6", "MaDoiTac": "TRUC-DEMO", "MaThamChieu": "SEED-PAID",
        "ThoiGianGD": "20250701083000",
    });
    message["MaXacThuc"] = json!(payment::code_of(&message));
    message
}

async fn set(bench: &Bench, system: System, fault: Value) -> Answer {
    bench.admin(Method::PUT, &format!("/faults/{}", system.name()), fault).await
}

#[tokio::test]
async fn faults_of_every_system() {
    let bench = Bench::new().await;
    for system in System::ALL {
        let right = call(&bench, system).await;
        assert_eq!(right.status, StatusCode::OK);

        set(&bench, system, json!({"kind": "status", "code": 503})).await;
        let answer = call(&bench, system).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (503, &b"simulated fault"[..]));

        set(&bench, system, json!({"kind": "malformed"})).await;
        let answer = call(&bench, system).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(serde_json::from_slice::<Value>(&answer.body).is_err());

        set(&bench, system, json!({"kind": "redirect", "to": "http://127.0.0.1:9/"})).await;
        let answer = call(&bench, system).await;
        assert_eq!(
            (answer.status, &answer.headers["location"]),
            (StatusCode::FOUND, &"http://127.0.0.1:9/".parse().unwrap())
        );

        set(&bench, system, json!({"kind": "huge", "bytes": 300_000})).await;
        let answer = call(&bench, system).await;
        assert_eq!(answer.body.len(), 300_000);
        assert!(answer.json()["padding"].is_string());
        assert_eq!(answer.headers.get("content-length"), None);

        set(&bench, system, json!({"kind": "latency", "ms": 60})).await;
        let before = Instant::now();
        let late = call(&bench, system).await;
        assert!(before.elapsed() >= Duration::from_millis(60));
        assert_eq!(late.status, StatusCode::OK);

        set(&bench, system, json!({"kind": "refuse", "code": "101", "message": "không được phép"})).await;
        let refused = call(&bench, system).await.json();
        let (code, message) = match system {
            System::CivilStatus => (&refused["errorCode"], &refused["errorDescription"]),
            System::Land => (&refused["status"]["code"], &refused["status"]["message"]),
            System::Insurance => (&refused["errorCode"], &refused["errorMessage"]),
            System::Postal => (&refused["Status"], &refused["Message"]),
            System::Payment => (&refused["MaLoi"], &refused["MoTaLoi"]),
        };
        assert!(*code == json!(101) || *code == json!("101"), "{refused}");
        assert!(message.as_str().unwrap().ends_with("không được phép"), "{refused}");
        if system == System::CivilStatus {
            assert_eq!(message, "IP_DISALLOWED - không được phép");
        }

        assert_eq!(
            bench.admin(Method::DELETE, &format!("/faults/{}", system.name()), Value::Null).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(call(&bench, system).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn expired_credentials() {
    let bench = Bench::new().await;
    for system in System::ALL {
        let answer = set(&bench, system, json!({"kind": "expired-token", "count": 1})).await;
        if system == System::Payment {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            continue;
        }
        assert_eq!(call(&bench, system).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(call(&bench, system).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn false_signatures() {
    let bench = Bench::new().await;
    assert!(payment::genuine(&call(&bench, System::Payment).await.json()));
    set(&bench, System::Payment, json!({"kind": "wrong-signature", "count": 1})).await;
    let forged = call(&bench, System::Payment).await.json();
    assert_eq!(forged["TrangThaiGD"], "1");
    assert!(!payment::genuine(&forged));
    assert!(payment::genuine(&call(&bench, System::Payment).await.json()));
    let land = set(&bench, System::Land, json!({"kind": "wrong-signature"})).await;
    assert_eq!(land.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_cut_comes_in_the_middle() {
    let bench = Bench::new().await;
    let whole = call(&bench, System::Land).await.body.len();
    bench.running.board().set(System::Land, FaultKind::Cut {}).unwrap();
    let mut stream = TcpStream::connect(bench.running.addresses().land).await.unwrap();
    let request = format!(
        "GET /hoso/H56.14-250630-0012 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        credentials::LAND_TOKEN
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    // The end comes as an end of file or as a reset.
    let _ = stream.read_to_end(&mut received).await;
    let received = String::from_utf8(received).unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains(&format!("content-length: {whole}")), "{head}");
    assert_eq!(body.len(), whole / 2);
    assert!(body.starts_with("{\"data\""));

    bench.running.board().clear(System::Land);
    assert_eq!(call(&bench, System::Land).await.status, StatusCode::OK);
}

#[tokio::test]
async fn faults_stop_a_call_or_let_it_have_its_effect() {
    let bench = Bench::new().await;
    let order = |number: &str| {
        json!({
            "CustomerCode": "C", "OrderNumber": number, "SenderProvince": 56, "SenderAddress": "a",
            "SenderName": "b", "SenderTel": "02580000000", "ReceiverName": "c", "ReceiverAddress": "d",
            "ReceiverTel": "0900000000", "ReceiverProvince": 1,
        })
    };
    let status = async |number: &str| {
        let body = json!({"CustomerCode": "C", "OrderNumber": number});
        bench.post(System::Postal, "/apiVNPostNGSP/p1.0/order/tracking", body).await["Status"].clone()
    };
    let path = "/apiVNPostNGSP/p1.0/order/post";
    set(&bench, System::Postal, json!({"kind": "status", "code": 500, "path": path})).await;
    bench.call(System::Postal, Method::POST, path, &order("F-1")).await;
    assert_eq!(status("F-1").await, "104");

    set(&bench, System::Postal, json!({"kind": "cut", "path": path})).await;
    let headers = [("access_token", credentials::POSTAL_TOKEN)];
    let to = bench.running.addresses().postal;
    let cut = bench.send(to, Method::POST, path, &headers, order("F-2").to_string()).await;
    assert!(cut.is_err());
    assert_eq!(status("F-2").await, "100");
}

#[tokio::test]
async fn the_board_is_shown_and_cleared() {
    let bench = Bench::new().await;
    let shown = async || bench.admin(Method::GET, "/faults", Value::Null).await.json();
    let nothing =
        json!({"civil-status": null, "land": null, "insurance": null, "postal": null, "payment": null});
    assert_eq!(shown().await, nothing);
    let fault = json!({"kind": "status", "code": 500, "share": 0.5});
    assert_eq!(set(&bench, System::Land, fault.clone()).await.json(), fault);
    for _ in 0..4 {
        call(&bench, System::Land).await;
    }
    assert_eq!(shown().await["land"], json!({"kind": "status", "code": 500, "share": 0.5, "hits": 2}));
    assert_eq!(bench.admin(Method::DELETE, "/faults", Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(shown().await, nothing);

    let unknown = bench.admin(Method::PUT, "/faults/moon", json!({"kind": "cut"})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.json()["error"].as_str().unwrap().contains("civil-status"));
    let wrong = set(&bench, System::Land, json!({"kind": "cut", "shares": 1})).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.json()["error"].as_str().unwrap().contains("shares"));
    assert_eq!(bench.admin(Method::GET, "/healthz", Value::Null).await.body, "ok");
}

#[tokio::test]
async fn calls_are_counted_by_route() {
    let bench = Bench::new().await;
    call(&bench, System::CivilStatus).await;
    call(&bench, System::Land).await;
    set(&bench, System::Land, json!({"kind": "status", "code": 500})).await;
    call(&bench, System::Land).await;
    bench.call(System::Land, Method::GET, "/nowhere", &Value::Null).await;
    let calls = bench.admin(Method::GET, "/calls", Value::Null).await.json();
    assert_eq!(calls["civil-status"], json!({"POST /apiHoTichTuPhap/danhMuc": 1, "POST /token": 1}));
    assert_eq!(calls["land"], json!({"GET /hoso/{dossier}": 2, "unmatched": 1}));
    assert_eq!(calls["payment"], json!({}));
    assert_eq!(bench.running.board().calls(System::Land, "GET /hoso/{dossier}"), 2);
    assert_eq!(bench.admin(Method::DELETE, "/calls", Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.running.board().calls(System::Land, "unmatched"), 0);
}

#[tokio::test]
async fn what_is_no_call_gets_a_plain_status() {
    let bench = Bench::new().await;
    let to = bench.running.addresses().postal;
    let path = "/apiVNPostNGSP/p1.0/order/price";
    let headers = [("access_token", credentials::POSTAL_TOKEN)];
    let send = async |method, path: &str, body: Vec<u8>| {
        bench.send(to, method, path, &headers, body).await.unwrap().status.as_u16()
    };
    assert_eq!(send(Method::GET, "/nowhere", vec![]).await, 404);
    assert_eq!(send(Method::GET, path, vec![]).await, 405);
    assert_eq!(send(Method::POST, path, b"[1]".to_vec()).await, 400);
    assert_eq!(send(Method::POST, path, b"{".to_vec()).await, 400);
    let deep = [b"{\"a\":".as_slice(), "[".repeat(100_000).as_bytes()].concat();
    assert_eq!(send(Method::POST, path, deep).await, 400);
    assert_eq!(send(Method::POST, path, vec![b' '; (8 << 20) + 1]).await, 413);
}
