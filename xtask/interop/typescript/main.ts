// Calls every one of the five services through clients generated from their documents. Each call is checked by the
// compiler (tsc --strict) against the types made from the document, and its answer when it runs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import createClient, { type Middleware } from "openapi-fetch";

import type { paths as CivilStatus } from "./generated/civil-status.js";
import type { components as LandTypes, paths as Land } from "./generated/land.js";
import type { paths as Insurance } from "./generated/insurance.js";
import type { paths as Payment } from "./generated/payment.js";
import type { paths as Postal } from "./generated/postal.js";

const address = process.env["TRUC"] ?? "";
const key = process.env["TRUC_KEY"] ?? "";
const samples = JSON.parse(readFileSync(process.env["TRUC_SAMPLES"] ?? "", "utf8"));
const header = { "truc-purpose": "Interoperability test" };
const dossier = (number: number) => `H56.14-250701-${number}`;

const signedIn: Middleware = {
  onRequest({ request }) {
    request.headers.set("authorization", `Bearer ${key}`);
    return request;
  },
};

function client<Paths extends {}>(service: string) {
  const made = createClient<Paths>({ baseUrl: `${address}/api/${service}/v1` });
  made.use(signedIn);
  return made;
}

/** The content of an answer that must be a success. */
function content<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  const { data, error, response } = answer;
  assert.ok(response.ok, `${response.url}: ${response.status} ${JSON.stringify(error)}`);
  assert.notEqual(data, undefined, `${response.url}: no content`);
  return data as T;
}

async function civilStatus() {
  const api = client<CivilStatus>("civil-status");
  const receivingUnit = String(samples.civilStatusDossiers.agencyUnit).padStart(5, "0");
  const intake = { receivingUnit, receivedOn: "2025-07-01", registration: "in-time" as const };

  const birth = {
    intake: { ...intake, dossier: dossier(9101), copies: 2 },
    child: {
      name: "Nguyễn Minh An", sex: "female" as const, born: "2025-06-20",
      placeOfBirth: "Bệnh viện đa khoa tỉnh Khánh Hòa", nativePlace: "Phường Nha Trang, Tỉnh Khánh Hòa",
      ethnicGroup: "Kinh", nationality: "Việt Nam",
    },
    mother: { name: "Trần Thị Hoa", born: "1995" },
    requester: {
      name: "Trần Thị Hoa", relationship: "Mẹ",
      paper: { kind: "citizen-card" as const, number: "056195999999" },
    },
  };
  const receipt = content(await api.POST("/births", { params: { header }, body: birth }));
  assert.equal(receipt.event, "birth");

  const again = await api.POST("/births", { params: { header }, body: birth });
  assert.equal(again.response.status, 409);
  assert.equal(again.error?.code, "conflict");

  const { man, woman } = samples.singles;
  const spouse = (person: Record<string, string>) => ({
    name: person["name"] ?? "", born: person["birthDate"] ?? "",
    ethnicGroup: person["ethnicGroup"] ?? "", nationality: "Việt Nam",
    residence: { kind: "permanent" as const, address: person["address"] ?? "" },
    paper: { kind: "citizen-card" as const, number: person["id"] ?? "" },
  });
  const marriage = {
    intake: { ...intake, dossier: dossier(9102) }, husband: spouse(man), wife: spouse(woman),
  };
  content(await api.POST("/marriages", { params: { header }, body: marriage }));

  const death = {
    intake: { ...intake, dossier: dossier(9103) },
    deceased: {
      name: "Phạm Văn Cường", sex: "male" as const, born: "1940", ethnicGroup: "Kinh", nationality: "Việt Nam",
    },
    death: { diedOn: "2025-06-28", place: "Bệnh viện đa khoa tỉnh Khánh Hòa" },
    requester: { name: "Phạm Thị Dung", relationship: "Con" },
  };
  content(await api.POST("/deaths", { params: { header }, body: death }));

  const { received, registered } = samples.civilStatusDossiers;
  const query = { receivingUnit };
  const status = await api.GET("/dossiers/{dossier}", { params: { path: { dossier: received }, query, header } });
  assert.equal(content(status).state, "received");

  const result = await api.GET("/dossiers/{dossier}/result", {
    params: { path: { dossier: registered }, query, header },
  });
  const { id: own, details } = content(result);
  // `kind` tells which case of the variant it is: each has members of its own.
  const name = details.kind === "birth" ? details.value.child.name
    : details.kind === "marriage" ? details.value.husband.name
    : details.value.deceased.name;
  assert.ok(name.length > 0);

  const { id, province } = samples.births[0];
  const event = "birth" as const;
  const entry = content(await api.GET("/entries/{event}/{id}", {
    params: { path: { event, id: String(id) }, header },
  }));
  assert.equal(entry.id, String(id));
  const found = await api.GET("/entries", {
    params: { query: { event, changedOn: entry.changedOn, province }, header },
  });
  assert.ok(content(found).some((reference) => reference.id === entry.id));
  const entries = await api.GET("/entries/{event}", {
    params: { path: { event }, query: { id: [own, "999999999"] }, header },
  });
  assert.equal(content(entries).length, 1);
  const groups = await api.GET("/code-lists/{name}", {
    params: { path: { name: "ethnic-groups" } },
  });
  assert.ok(content(groups).some((code) => code.name === "Kinh"));
}

async function land() {
  const api = client<Land>("land");
  const { ward, sheet, number, owner, certificate } = samples.parcels[0];

  const parcel = content(await api.GET("/parcels/{ward}/{sheet}/{number}", {
    params: { path: { ward, sheet, number }, header },
  }));
  assert.equal(parcel.certificate, certificate);
  assert.ok(parcel.area > 0);

  const unknown = await api.GET("/parcels/{ward}/{sheet}/{number}", {
    params: { path: { ward, sheet, number: "99999" }, header },
  });
  assert.equal(unknown.response.status, 404);
  assert.equal(unknown.error?.code, "not-found");

  const parcels = await api.GET("/parcels", { params: { query: { holder: owner }, header } });
  assert.ok(content(parcels).length > 0);
  const one = await api.GET("/certificates/{number}", { params: { path: { number: certificate }, header } });
  assert.equal(content(one).number, certificate);
  const all = await api.GET("/certificates", { params: { query: { holder: owner }, header } });
  assert.ok(content(all).length > 0);

  // The content of a file travels as base64.
  const paper: LandTypes["schemas"]["Paper"] = {
    name: "Đơn đăng ký", originals: 1, copies: 0,
    file: { name: "don.pdf", mediaType: "application/pdf", content: Buffer.from("%PDF-1.4\n").toString("base64") },
  };
  const code = dossier(9111);
  const receipt = content(await api.POST("/dossiers", {
    params: { header },
    body: {
      code, level: "commune", ward: "22366",
      receivedAt: "2025-07-01T08:30:00+07:00", dueAt: "2025-07-15T17:00:00+07:00",
      applicant: { name: "Nguyễn Văn An", identityNumber: "056080999999" },
      procedure: { code: "1.004227", name: "Đăng ký biến động" },
      parcels: [{ sheet, number, area: 102.5 }],
      papers: [paper],
    },
  }));
  // Numbers of 64 bits are texts: BigInt holds every one of them.
  assert.ok(BigInt(receipt.number) > 0n);
  const status = await api.GET("/dossiers/{code}", { params: { path: { code }, header } });
  assert.equal(content(status).code, code);

  const tax = await api.GET("/dossiers/{code}/tax-result", {
    params: { path: { code: samples.landDossiers.taxKnown }, header },
  });
  const [notice] = content(tax).notices;
  assert.equal(notice?.amount.currency, "VND");
}

async function insurance() {
  const api = client<Insurance>("insurance");
  const citizen = samples.citizens[0];
  const { name, gender: sex, province, insuranceNumber: number } = citizen;
  const born = { date: citizen.birthDate, precision: "day" as const };
  const place = { kind: "household" as const, province };

  const found = await api.POST("/number-searches", { params: { header }, body: { name, born, sex, place } });
  assert.equal(content(found).insuranceNumber, number);
  const household = await api.GET("/members/{number}/household", { params: { path: { number }, header } });
  assert.ok(content(household).members.length > 0);
  const search = { name, born, sex, place: "household" as const, province, insuranceNumber: null };
  content(await api.POST("/household-searches", { params: { header }, body: search }));
  const card = { number: citizen.cardNumber, name, born };
  const validity = await api.POST("/card-checks", { params: { header }, body: card });
  assert.equal(typeof content(validity).valid, "boolean");
}

async function postal() {
  const api = client<Postal>("postal");
  const number = dossier(9121);
  const parties = {
    sender: {
      name: "Trung tâm phục vụ hành chính công", phone: "02580000000", province: "56",
      address: "Số 1, đường Trần Phú, Phường Nha Trang",
    },
    receiver: { name: "Nguyễn Văn An", phone: "0900000000", province: "01", address: "Số 12, đường Lê Lợi" },
  };
  const cashOnDelivery = { amount: "150000", currency: "VND" };
  const placed = await api.POST("/orders", { params: { header }, body: { number, ...parties, cashOnDelivery } });
  assert.equal(content(placed).number, number);

  const query = { senderProvince: "56", receiverProvince: "01", weight: 700 };
  const plain = content(await api.GET("/quotations", { params: { query } }));
  const withCash = content(await api.GET("/quotations", { params: { query: { ...query, cashOnDelivery: "9000000" } } }));
  assert.ok(BigInt(withCash.total.amount) > BigInt(plain.total.amount));

  const tracked = await api.GET("/orders/{number}/tracking", { params: { path: { number }, header } });
  assert.equal(content(tracked).status, "ordered");
  const cancelled = await api.POST("/orders/{number}/cancellation", {
    params: { path: { number } }, body: { reason: "Người dân nhận trực tiếp" },
  });
  assert.equal(cancelled.response.status, 204);
}

async function payment() {
  const api = client<Payment>("payment");
  const amount = { amount: "150000", currency: "VND" };
  const body = {
    reference: "REF-9131", amount, description: "Lệ phí đăng ký kết hôn",
    destination: "agency" as const, channel: "web" as const,
    bill: {
      agency: "H56.14", agencyName: "Ủy ban nhân dân Phường Nha Trang", dossier: dossier(9131),
      account: { number: "0000000001", bank: "SIMBANK", holder: "Ủy ban nhân dân Phường Nha Trang" },
      payer: { name: "Nguyễn Văn An" },
      fees: [{ kind: "charge" as const, code: "LP01", name: "Lệ phí đăng ký kết hôn", amount }],
      lines: [],
    },
  };
  const started = content(await api.POST("/payments", { params: { header }, body }));
  assert.equal(new URL(started.payAt).protocol.slice(0, 4), "http");
  const again = await api.POST("/payments", { params: { header }, body });
  assert.equal(again.response.status, 409);
  assert.equal(again.error?.code, "already-exists");

  const { paid: reference, paidOn } = samples.payments;
  const queried = content(await api.GET("/payments/{reference}", { params: { path: { reference } } }));
  assert.equal(queried.state, "paid");
  assert.ok(BigInt(queried.amount.amount) > 0n);
  content(await api.GET("/payments/{reference}/receipt", { params: { path: { reference } } }));
  const day = paidOn.replace(/^(....)(..)(..)$/, "$1-$2-$3");
  const list = content(await api.GET("/reconciliations/{day}", { params: { path: { day } } }));
  assert.equal(list.count, list.payments.length);
}

await civilStatus();
await land();
await insurance();
await postal();
await payment();
