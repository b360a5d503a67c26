//! A real browser, driven over WebDriver (W3C) by Chromium's own driver: opened with a fresh profile, asked to do what a
//! reader does, and closed. Every step has a bound.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::Method;
use serde_json::{Value, json};

use crate::http::{Body, Client};
use crate::process::Server;
use crate::tools::Chromium;

/// How long a page may take to load and a script to end, in milliseconds.
const STEP_WITHIN: u64 = 20_000;

/// The member that names an element in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The key Tab in WebDriver's alphabet.
pub(crate) const TAB: &str = "\u{e004}";

/// A browser with one window.
pub(crate) struct Browser {
    driver: Server,
    client: Client,
    /// `/session/{id}`
    session: String,
}

/// How the window looks to the page.
#[derive(Clone, Copy)]
pub(crate) struct View {
    /// In CSS pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: Scheme,
}

/// What the reader's system prefers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        }
    }
}

impl Browser {
    /// Starts driver and browser; profile and log go into a folder.
    pub(crate) async fn start(programs: &Chromium, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut command = Command::new(&programs.driver);
        command.arg("--port=0");
        let mut driver = Server::start("the browser's driver", command, &folder.join("driver.log"), None)?;
        let port: u16 = driver
            .line(|line| {
                line.split("started successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
            })
            .await?;
        let client = Client::new(([127, 0, 0, 1], port).into());

        let mut arguments: Vec<String> = [
            "--headless=new",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", folder.join("profile").display()));
        if rustix::process::geteuid().is_root() {
            // Its sandbox does not work for root.
            arguments.push("--no-sandbox".to_owned());
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": programs.browser, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "timeouts": { "pageLoad": STEP_WITHIN, "script": STEP_WITHIN },
        } } });
        let made = client.expect(&Method::POST, "/session", Body::Json(&wanted)).await?;
        let id = made.pointer("/value/sessionId").and_then(Value::as_str).context("no session was made")?;
        Ok(Self { driver, session: format!("/session/{id}"), client })
    }

    /// Closes browser and driver.
    pub(crate) async fn close(self) -> Result<()> {
        let closed = self.client.expect(&Method::DELETE, &self.session, Body::None).await;
        self.driver.stop().await?;
        closed.map(drop)
    }

    async fn post(&self, command: &str, body: Value) -> Result<Value> {
        let path = format!("{}/{command}", self.session);
        let mut answer = self.client.expect(&Method::POST, &path, Body::Json(&body)).await?;
        Ok(answer.get_mut("value").map(Value::take).unwrap_or_default())
    }

    /// A command of the browser's own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Makes the window look so to pages.
    pub(crate) async fn view(&self, view: View) -> Result<()> {
        let metrics = json!({
            "width": view.width, "height": view.height, "deviceScaleFactor": 1, "mobile": view.width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        let scheme = json!({ "name": "prefers-color-scheme", "value": view.scheme.as_str() });
        let motion = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [scheme, motion] })).await.map(drop)
    }

    /// Opens an address and waits until it is loaded.
    pub(crate) async fn open(&self, address: &str) -> Result<()> {
        self.post("url", json!({ "url": address })).await.map(drop)
    }

    /// Runs a function's body in the page; gives what it returns.
    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.post("execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// Waits until an element's text fits a regular expression; gives the text.
    pub(crate) async fn text(&self, selector: &str, pattern: &str) -> Result<String> {
        let script = "const [selector, pattern, done] = arguments;
            const look = () => {
                const text = document.querySelector(selector)?.textContent ?? '';
                if (!new RegExp(pattern).test(text)) return false;
                done(text);
                return true;
            };
            if (!look()) {
                const watch = new MutationObserver(() => look() && watch.disconnect());
                watch.observe(document.body, { subtree: true, childList: true, characterData: true });
            }";
        let found = self.post("execute/async", json!({ "script": script, "args": [selector, pattern] }));
        let found = found.await.with_context(|| format!("{selector} never showed {pattern}"))?;
        Ok(found.as_str().unwrap_or_default().to_owned())
    }

    async fn element(&self, selector: &str) -> Result<String> {
        let found = self.post("element", json!({ "using": "css selector", "value": selector })).await;
        let found = found.with_context(|| format!("there is no {selector}"))?;
        let id = found.get(ELEMENT).and_then(Value::as_str);
        Ok(id.with_context(|| format!("there is no {selector}"))?.to_owned())
    }

    /// Clicks what a selector finds first, as a reader would: it must be in sight and in front.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        let element = self.element(selector).await?;
        let clicked = self.post(&format!("element/{element}/click"), json!({})).await;
        clicked.map(drop).with_context(|| format!("{selector} cannot be clicked"))
    }

    /// Types a text into a field instead of what is there.
    pub(crate) async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.element(selector).await?;
        self.post(&format!("element/{element}/clear"), json!({})).await?;
        self.post(&format!("element/{element}/value"), json!({ "text": text })).await.map(drop)
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn press(&self, key: &str) -> Result<()> {
        let actions = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("actions", json!({ "actions": [keyboard] })).await.map(drop)
    }

    /// The console's entries since they were last asked for, without the advice that browsers give to authors.
    pub(crate) async fn console(&self) -> Result<Vec<String>> {
        let entries = self.post("se/log", json!({ "type": "browser" })).await?;
        let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
        let told = |entry: &Value| entry.get("level").and_then(Value::as_str) != Some("DEBUG");
        let message = |entry: &Value| Some(entry.get("message")?.as_str()?.to_owned());
        Ok(entries.iter().filter(|entry| told(entry)).filter_map(message).collect())
    }

    /// The addresses that pages asked for since the last time.
    pub(crate) async fn requested(&self) -> Result<Vec<String>> {
        let entries = self.post("se/log", json!({ "type": "performance" })).await?;
        let mut addresses = Vec::new();
        for entry in entries.as_array().into_iter().flatten() {
            let message = entry.get("message").and_then(Value::as_str).unwrap_or_default();
            let message: Value = serde_json::from_str(message)?;
            let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
            // The browser's own first page loads its parts late.
            let own = text("/message/params/documentURL").is_some_and(|page| page.starts_with("chrome://"));
            if text("/message/method") == Some("Network.requestWillBeSent") && !own {
                let address = text("/message/params/request/url").context("a request without an address")?;
                addresses.push(address.to_owned());
            }
        }
        Ok(addresses)
    }

    /// A picture of what is in sight, as PNG.
    pub(crate) async fn picture(&self) -> Result<Vec<u8>> {
        let picture = self.devtools("Page.captureScreenshot", json!({ "format": "png" })).await?;
        let picture = picture.get("data").and_then(Value::as_str).context("no picture was taken")?;
        Ok(BASE64.decode(picture)?)
    }
}
