//! The documentation pages in a real browser, against the running demonstration: light and dark, wide and narrow, in
//! both languages; and calls made from them, by clicks and keys, that succeed and that fail. Pictures of all of it are
//! left in `target/pages`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::estate::Estate;
use crate::browser::{Browser, Scheme, TAB, View};
use crate::tools::Chromium;
use crate::workspace::progress;

/// How long all of it may take.
const ALL_WITHIN: Duration = Duration::from_secs(240);

/// Widths of a telephone and of a notebook, with the heights that go with them.
const SIZES: [(u32, u32); 2] = [(360, 740), (1280, 800)];

/// A script that looks for what is wrong with a page; gives a line for each fault.
const FAULTS: &str = include_str!("faults.js");

/// Looks at every kind of page in every view, and calls operations from one. Gives what it came to.
pub(crate) async fn check(estate: &Estate, programs: &Chromium, pictures: &Path) -> Result<String> {
    if pictures.exists() {
        std::fs::remove_dir_all(pictures)?;
    }
    std::fs::create_dir_all(pictures)?;
    progress("opening the pages in Chromium");
    let browser = Browser::start(programs, &estate.folder().join("browser")).await?;
    let visit = Visit {
        origin: format!("http://{}", estate.host.api),
        pictures: pictures.to_owned(),
        browser: &browser,
    };
    let checked = timeout(ALL_WITHIN, async {
        let looked_at = visit.look_at_all().await?;
        visit.read_without_script().await?;
        visit.find_the_way().await?;
        visit.call(estate).await?;
        visit.fail(estate).await?;
        Ok::<_, anyhow::Error>(looked_at)
    });
    let checked = checked.await.context("the browser took too long").flatten();
    let closed = browser.close().await;
    let looked_at = checked?;
    closed?;
    Ok(format!(
        "{looked_at} views and the calls made from them as expected; pictures in {}",
        pictures.display()
    ))
}

struct Visit<'a> {
    browser: &'a Browser,
    /// `http://127.0.0.1:8080`
    origin: String,
    pictures: PathBuf,
}

impl Visit<'_> {
    async fn look_at_all(&self) -> Result<usize> {
        let pages = [
            ("services-vi", "/docs?lang=vi"),
            ("services-en", "/docs?lang=en"),
            ("land-vi", "/docs/land?lang=vi"),
            ("operation-en", "/docs/land?lang=en#parcels/get-parcel"),
            ("body-vi", "/docs/land?lang=vi#dossiers/supplement-dossier"),
            ("type-en", "/docs/land?lang=en#type-Parcel"),
            ("problems-vi", "/docs/land?lang=vi#problems"),
            ("postal-en", "/docs/postal/v1?lang=en"),
            ("civil-status-vi", "/docs/civil-status?lang=vi"),
        ];
        let mut looked_at = 0;
        for scheme in [Scheme::Light, Scheme::Dark] {
            for (width, height) in SIZES {
                self.browser.view(View { width, height, scheme }).await?;
                for (name, path) in pages {
                    self.look_at(&format!("{name}-{}-{width}", scheme.as_str()), path).await?;
                    let said = self.browser.console().await?;
                    ensure!(said.is_empty(), "{path} wrote to the console: {said:?}");
                    looked_at += 1;
                }
                self.look_at(&format!("missing-{}-{width}", scheme.as_str()), "/docs/nothing?lang=vi")
                    .await?;
                self.missing_is_all_that_is_wrong().await?;
                looked_at += 1;
            }
        }
        Ok(looked_at)
    }

    async fn look_at(&self, name: &str, path: &str) -> Result<()> {
        self.browser.open(&format!("{}{path}", self.origin)).await?;
        self.keep(name).await?;
        let faults = self.browser.run(FAULTS, &[]).await?;
        ensure!(faults == json!([]), "{path}, seen as {name}: {faults:#}");
        self.only_this_host().await
    }

    /// The console may tell of the missing page itself, and of nothing else.
    async fn missing_is_all_that_is_wrong(&self) -> Result<()> {
        let said = self.browser.console().await?;
        let other: Vec<_> =
            said.iter().filter(|line| !line.contains("/docs/nothing") || !line.contains("404")).collect();
        ensure!(other.is_empty(), "the missing page wrote to the console: {other:?}");
        Ok(())
    }

    async fn only_this_host(&self) -> Result<()> {
        let requested = self.browser.requested().await?;
        ensure!(!requested.is_empty(), "the browser tells of no requests");
        let elsewhere: Vec<_> =
            requested.iter().filter(|address| !address.starts_with(&self.origin)).collect();
        ensure!(elsewhere.is_empty(), "the page asked others than its host: {elsewhere:?}");
        Ok(())
    }

    async fn keep(&self, name: &str) -> Result<()> {
        let picture = self.browser.picture().await?;
        let file = self.pictures.join(format!("{name}.png"));
        std::fs::write(&file, picture).with_context(|| format!("{} cannot be written", file.display()))?;
        Ok(())
    }

    /// A page in a browser that runs no scripts: everything can be read, and nothing is offered that would not work.
    async fn read_without_script(&self) -> Result<()> {
        let browser = self.browser;
        let scripts = async |disabled: bool| {
            browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": disabled })).await
        };
        scripts(true).await?;
        browser.open(&format!("{}/docs/land?lang=en#dossiers/send-dossier", self.origin)).await?;
        self.keep("without-script").await?;
        // What is looked at now is the page as it was left without its script.
        scripts(false).await?;
        let seen = "const shown = (selector) => [...document.querySelectorAll(selector)]
                .filter((element) => element.checkVisibility()).length;
            return [shown('.try, .key, .copy'), shown('.operation'), shown('.curl'), shown('#contents a') > 9]";
        let seen = browser.run(seen, &[]).await?;
        ensure!(seen == json!([0, 9, 9, true]), "without its script the page shows {seen}");
        self.only_this_host().await
    }

    /// The drawer, the keyboard, the other language.
    async fn find_the_way(&self) -> Result<()> {
        let browser = self.browser;
        let seen = async |script: &str| browser.run(script, &[]).await;
        browser.view(View { width: 360, height: 740, scheme: Scheme::Light }).await?;
        browser.open(&format!("{}/docs/land?lang=vi", self.origin)).await?;

        browser.press(TAB).await?;
        let focused =
            "const at = document.activeElement; return [at.className, getComputedStyle(at).outlineStyle]";
        ensure!(
            seen(focused).await? == json!(["skip", "solid"]),
            "the first stop of the keyboard is not in sight"
        );

        let open = "return document.getElementById('contents').matches(':popover-open')";
        ensure!(seen(open).await? == json!(false), "the contents cover a narrow page");
        browser.click(".menu").await?;
        ensure!(seen(open).await? == json!(true), "the button does not open the contents");
        self.keep("contents-light-360").await?;
        browser.click("#contents a[href='#parcels/get-parcel']").await?;
        ensure!(seen(open).await? == json!(false), "the contents stay open");
        ensure!(
            seen("return location.hash").await? == json!("#parcels/get-parcel"),
            "the link did not lead there"
        );

        browser.click(".languages a[lang='en']").await?;
        let place = seen("return [document.documentElement.lang, location.hash]").await?;
        ensure!(place == json!(["en", "#parcels/get-parcel"]), "the other language is at {place}");
        self.only_this_host().await
    }

    /// A call that succeeds, from a narrow and dark page, and one with a body from a wide and light one.
    async fn call(&self, estate: &Estate) -> Result<()> {
        let browser = self.browser;
        let parcel = estate.samples.part("/parcels/0")?;
        let (ward, sheet, number) = (parcel.text("/ward")?, parcel.text("/sheet")?, parcel.text("/number")?);
        browser.view(View { width: 360, height: 740, scheme: Scheme::Dark }).await?;
        browser.open(&format!("{}/docs/land?lang=vi", self.origin)).await?;
        browser.fill("#key", estate.office_key()).await?;
        let form = Form::of(browser, "parcels/get-parcel").await?;
        form.open().await?;
        for (name, value) in [("ward", &ward), ("sheet", &sheet), ("number", &number)] {
            form.fill(name, value).await?;
        }
        // Without a purpose the browser itself says what is missing, and nothing is sent.
        form.send().await?;
        let missing = "return document.activeElement.name";
        ensure!(
            browser.run(missing, &[]).await? == json!("truc-purpose"),
            "the missing purpose was not asked for"
        );
        form.fill("truc-purpose", "Thẩm tra hồ sơ đất đai").await?;
        form.send().await?;
        let outcome = form.outcome("ms$").await?;
        let shown = form.shown().await?;
        ensure!(outcome.starts_with("200 · "), "the call was answered with {outcome}: {shown}");
        for part in [&format!("\"ward\": \"{ward}\""), "\"holders\": [\n", "x-request-id", "truc-revision"] {
            ensure!(shown.contains(part), "the answer does not show {part}: {shown}");
        }
        let command = form.command().await?;
        let told = format!("'{}/api/land/v1/parcels/{ward}/{sheet}/{number}'", self.origin);
        for part in [told.as_str(), "Bearer $KEY\"", "'truc-purpose: Thẩm tra hồ sơ đất đai'"] {
            ensure!(command.contains(part), "the command does not say {part}: {command}");
        }
        let kept = "return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href,
            document.documentElement.outerHTML])";
        let kept = browser.run(kept, &[]).await?;
        ensure!(!kept.to_string().contains(estate.office_key()), "the key stands where it may be kept");
        let faults = browser.run(FAULTS, &[]).await?;
        ensure!(faults == json!([]), "the page with an answer: {faults:#}");
        self.keep("called-dark-360").await?;

        browser.view(View { width: 1280, height: 900, scheme: Scheme::Light }).await?;
        browser.open(&format!("{}/docs/land?lang=en", self.origin)).await?;
        browser.fill("#key", estate.office_key()).await?;
        let form = Form::of(browser, "dossiers/send-dossier").await?;
        form.open().await?;
        form.fill("truc-purpose", "Trying the pages").await?;
        form.send().await?;
        let outcome = form.outcome("ms$").await?;
        ensure!(
            outcome.starts_with("200 · "),
            "the example was answered with {outcome}: {}",
            form.shown().await?
        );
        self.keep("called-light-1280").await?;
        let said = browser.console().await?;
        ensure!(said.is_empty(), "calls that succeed wrote to the console: {said:?}");
        self.only_this_host().await
    }

    /// Calls that fail: for the national system, for the contract, before they are sent, and on the way.
    async fn fail(&self, estate: &Estate) -> Result<()> {
        let browser = self.browser;
        browser.open(&format!("{}/docs/land?lang=vi", self.origin)).await?;
        let form = Form::of(browser, "parcels/get-parcel").await?;
        form.open().await?;
        form.fill("truc-purpose", "Thử").await?;
        let cases: [(&str, &str, &str, &str); 3] = [
            ("", "99999", "401 · ", "missing-key"),
            (estate.office_key(), "99999", "404 · ", "not-found"),
            (estate.office_key(), "<img src=x>", "422 · ", "/number"),
        ];
        for (key, number, status, told) in cases {
            browser.fill("#key", key).await?;
            form.fill("number", number).await?;
            form.send().await?;
            let outcome = form.outcome(&format!("^{status}")).await?;
            let shown = form.shown().await?;
            ensure!(shown.contains(told), "{outcome} does not tell {told}: {shown}");
        }
        ensure!(
            browser.run("return document.images.length", &[]).await? == json!(0),
            "an answer became HTML"
        );
        self.keep("refused-light-1280").await?;

        form.fill("number", "..").await?;
        form.send().await?;
        form.outcome("Dấu chấm").await?;

        let offline = |offline: bool| {
            let network =
                json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
            browser.devtools("Network.emulateNetworkConditions", network)
        };
        browser.devtools("Network.enable", json!({})).await?;
        form.fill("number", "1").await?;
        offline(true).await?;
        form.send().await?;
        form.outcome("^Không nhận được câu trả lời").await?;
        self.keep("unreachable-light-1280").await?;
        offline(false).await?;

        let form = Form::of(browser, "dossiers/send-dossier").await?;
        form.open().await?;
        form.fill("truc-purpose", "Thử").await?;
        browser.fill(&form.within("[data-in='body']"), "{\"code\": ").await?;
        form.send().await?;
        form.outcome("không phải JSON").await?;
        let faults = browser.run(FAULTS, &[]).await?;
        ensure!(faults == json!([]), "the page with refusals: {faults:#}");

        // Refusals and lost connections are told by the browser itself; the page has nothing to add.
        let said = browser.console().await?;
        let other: Vec<_> = said.iter().filter(|line| !line.contains("Failed to load resource")).collect();
        ensure!(other.is_empty(), "failing calls wrote to the console: {other:?}");
        self.only_this_host().await
    }
}

/// The form of one operation.
struct Form<'a> {
    browser: &'a Browser,
    /// What selects the element that holds it.
    place: String,
}

impl<'a> Form<'a> {
    async fn of(browser: &'a Browser, operation: &str) -> Result<Form<'a>> {
        let mark = "const heading = document.getElementById(arguments[0]);
            heading.closest('.operation').querySelector('.try').dataset.tried = arguments[0];";
        browser
            .run(mark, &[Value::from(operation)])
            .await
            .with_context(|| format!("there is no {operation}"))?;
        Ok(Self { browser, place: format!(".try[data-tried='{operation}']") })
    }

    fn within(&self, selector: &str) -> String {
        format!("{} {selector}", self.place)
    }

    async fn open(&self) -> Result<()> {
        self.browser.click(&self.within("summary")).await
    }

    async fn fill(&self, name: &str, value: &str) -> Result<()> {
        self.browser.fill(&self.within(&format!("[name='{name}']")), value).await
    }

    async fn send(&self) -> Result<()> {
        self.browser.click(&self.within(".send")).await
    }

    async fn outcome(&self, pattern: &str) -> Result<String> {
        self.browser.text(&self.within(".outcome"), pattern).await
    }

    /// Headers and body as they are shown.
    async fn shown(&self) -> Result<String> {
        let text = "return document.querySelector(arguments[0]).innerText";
        let shown = self.browser.run(text, &[Value::from(self.within(".result"))]).await?;
        Ok(shown.as_str().unwrap_or_default().to_owned())
    }

    /// The same call for the command line.
    async fn command(&self) -> Result<String> {
        let text = "return document.querySelector(arguments[0]).closest('.operation').querySelector('.curl').textContent";
        let shown = self.browser.run(text, &[Value::from(self.place.as_str())]).await?;
        Ok(shown.as_str().unwrap_or_default().to_owned())
    }
}
