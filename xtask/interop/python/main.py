"""Calls every one of the five services through clients generated from their documents."""

import base64
import datetime
import json
import os
from urllib.parse import urlsplit

from civil_status.api.registry import (
    registry_check_dossier, registry_find_entries, registry_get_entries, registry_get_entry, registry_get_result,
    registry_list_codes, registry_register_birth, registry_register_death,
)
from civil_status.models import (
    BirthDossier, Child, CodeList, DeathDossier, Death, Deceased, DetailsBirth, Entry, Event, Intake, Paper, PaperKind,
    Parent, Registration, Requester, Sex,
)
from insurance.api.members import (
    members_check_card, members_find_household, members_find_number, members_get_household,
)
from insurance.models import (
    BirthDate, CardQuery, DatePrecision, HouseholdCriteria, PersonCriteria, Place, PlaceKind, Sex as MemberSex,
)
from land.api.dossiers import (
    dossiers_check_dossier, dossiers_get_tax_result, dossiers_send_dossier, dossiers_supplement_dossier,
)
from land.api.parcels import (
    parcels_find_certificates, parcels_find_parcels, parcels_get_certificate, parcels_get_parcel,
)
from land.models import (
    Applicant, Attachment, ClaimedParcel, Dossier, Level, Paper as LandPaper, Procedure, ProblemDetails, Supplement,
)
from payment.api.payments import payments_get_receipt, payments_initiate, payments_query, payments_reconcile
from payment.models import (
    Account, Bill, Channel, Destination, Fee, FeeKind, Money, NewPayment, Payer, State,
)
from postal.api.orders import orders_cancel, orders_create, orders_quote, orders_track
from postal.models import Money as Cash, NewOrder, OrdersCancelBody, Party, Status

ADDRESS = os.environ["TRUC"]
PURPOSE = {"truc_purpose": "Interoperability test"}


def client(module, service):
    """A client of a generated module for a service, with the account's key."""
    base = f"{ADDRESS}/api/{service}/v1"
    return module.AuthenticatedClient(base_url=base, token=os.environ["TRUC_KEY"])


def dossier(number):
    return f"H56.14-250701-{number}"


def instant(text):
    return datetime.datetime.fromisoformat(text)


def succeeded(answer):
    """The content of an answer that must be a success."""
    assert answer.status_code < 300, f"{answer.status_code}: {answer.content.decode()}"
    return answer.parsed


def refused(answer, status, code):
    """An answer that must be a refusal of this code, read into the type of problem documents."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.content.decode()}"
    assert answer.parsed.code == code, answer.parsed


def civil_status(samples):
    import civil_status as module

    with client(module, "civil-status") as api:
        unit = f"{samples['civilStatusDossiers']['agencyUnit']:05}"

        def intake(number):
            return Intake(dossier(number), unit, datetime.date(2025, 7, 1), Registration.IN_TIME)

        requester = Requester(
            name="Trần Thị Hoa", relationship="Mẹ", paper=Paper(kind=PaperKind.CITIZEN_CARD, number="056195999999")
        )
        birth = BirthDossier(
            intake=intake(9201),
            child=Child(
                name="Nguyễn Minh An", sex=Sex.FEMALE, born=datetime.date(2025, 6, 20),
                place_of_birth="Bệnh viện đa khoa tỉnh Khánh Hòa", native_place="Phường Nha Trang, Tỉnh Khánh Hòa",
                ethnic_group="Kinh", nationality="Việt Nam",
            ),
            mother=Parent(name="Trần Thị Hoa", born="1995", ethnic_group=None),
            requester=requester,
        )
        receipt = succeeded(registry_register_birth.sync_detailed(client=api, body=birth, **PURPOSE))
        assert receipt.event == Event.BIRTH and receipt.accepted_at.tzinfo is not None
        refused(registry_register_birth.sync_detailed(client=api, body=birth, **PURPOSE), 409, "conflict")

        death = DeathDossier(
            intake=intake(9203),
            deceased=Deceased(
                name="Phạm Văn Cường", sex=Sex.MALE, born="1940", ethnic_group="Kinh", nationality="Việt Nam"
            ),
            death=Death(died_on=datetime.date(2025, 6, 28), place="Bệnh viện đa khoa tỉnh Khánh Hòa"),
            requester=requester,
        )
        succeeded(registry_register_death.sync_detailed(client=api, body=death, **PURPOSE))

        known = samples["civilStatusDossiers"]
        succeeded(registry_check_dossier.sync_detailed(known["received"], client=api, receiving_unit=unit))
        result = succeeded(
            registry_get_result.sync_detailed(known["registered"], client=api, receiving_unit=unit, **PURPOSE)
        )
        assert isinstance(result, Entry)

        number, province = samples["births"][0]["id"], samples["births"][0]["province"]
        entry = succeeded(registry_get_entry.sync_detailed(Event.BIRTH, number, client=api, **PURPOSE))
        # The case of a variant is a class of its own.
        assert isinstance(entry.details, DetailsBirth) and entry.details.value.child.name
        found = registry_find_entries.sync_detailed(
            client=api, event=Event.BIRTH, changed_on=entry.changed_on, province=province
        )
        assert any(reference.id == number for reference in succeeded(found))
        entries = registry_get_entries.sync_detailed(Event.BIRTH, client=api, id=[result.id, "999999999"], **PURPOSE)
        assert len(succeeded(entries)) == 1
        groups = succeeded(registry_list_codes.sync_detailed(CodeList.ETHNIC_GROUPS, client=api))
        assert any(code.name == "Kinh" for code in groups)


def land(samples):
    import land as module

    with client(module, "land") as api:
        sample = samples["parcels"][0]
        ward, sheet, number, owner = sample["ward"], sample["sheet"], sample["number"], sample["owner"]

        parcel = parcels_get_parcel.sync(ward, sheet, number, client=api, **PURPOSE)
        assert parcel.certificate == sample["certificate"] and parcel.area > 0
        unknown = parcels_get_parcel.sync_detailed(ward, sheet, "99999", client=api, **PURPOSE)
        refused(unknown, 404, "not-found")
        assert isinstance(unknown.parsed, ProblemDetails)
        assert len(succeeded(parcels_find_parcels.sync_detailed(client=api, holder=owner, **PURPOSE))) > 0
        succeeded(parcels_get_certificate.sync_detailed(sample["certificate"], client=api, **PURPOSE))
        succeeded(parcels_find_certificates.sync_detailed(client=api, holder=owner, **PURPOSE))

        # The content of a file travels as base64.
        content = base64.b64encode(b"%PDF-1.4\n").decode()
        paper = LandPaper(
            name="Đơn đăng ký", originals=1, copies=0,
            file=Attachment(name="don.pdf", media_type="application/pdf", content=content),
        )
        code = dossier(9211)
        sent = Dossier(
            code=code, level=Level.COMMUNE, ward="22366",
            received_at=instant("2025-07-01T08:30:00+07:00"), due_at=instant("2025-07-15T17:00:00+07:00"),
            applicant=Applicant(name="Nguyễn Văn An", identity_number="056080999999"),
            procedure=Procedure(code="1.004227", name="Đăng ký biến động"),
            parcels=[ClaimedParcel(sheet=sheet, number=number, area=102.5)],
            papers=[paper],
        )
        receipt = succeeded(dossiers_send_dossier.sync_detailed(client=api, body=sent, **PURPOSE))
        # Numbers of 64 bits are texts.
        assert int(receipt.number) > 0
        assert succeeded(dossiers_check_dossier.sync_detailed(code, client=api)).code == code

        known = samples["landDossiers"]
        supplement = Supplement(due_at=instant("2099-07-20T17:00:00+07:00"), papers=[paper])
        succeeded(
            dossiers_supplement_dossier.sync_detailed(
                known["needsSupplement"], client=api, body=supplement, **PURPOSE
            )
        )
        tax = succeeded(dossiers_get_tax_result.sync_detailed(known["taxKnown"], client=api, **PURPOSE))
        assert all(notice.amount.currency == "VND" and int(notice.amount.amount) >= 0 for notice in tax.notices)


def insurance(samples):
    import insurance as module

    with client(module, "insurance") as api:
        citizen = samples["citizens"][0]
        name, sex, province = citizen["name"], MemberSex(citizen["gender"]), citizen["province"]
        born = BirthDate(date=datetime.date.fromisoformat(citizen["birthDate"]), precision=DatePrecision.DAY)

        criteria = PersonCriteria(
            name=name, born=born, sex=sex, place=Place(kind=PlaceKind.HOUSEHOLD, province=province)
        )
        found = succeeded(members_find_number.sync_detailed(client=api, body=criteria, **PURPOSE))
        assert found.insurance_number == citizen["insuranceNumber"]
        household = members_get_household.sync_detailed(found.insurance_number, client=api, **PURPOSE)
        assert len(succeeded(household).members) > 0
        criteria = HouseholdCriteria(name=name, born=born, sex=sex, place=PlaceKind.HOUSEHOLD, province=province)
        succeeded(members_find_household.sync_detailed(client=api, body=criteria, **PURPOSE))
        card = CardQuery(number=citizen["cardNumber"], name=name, born=born)
        assert succeeded(members_check_card.sync_detailed(client=api, body=card, **PURPOSE)).valid in (True, False)


def postal(_):
    import postal as module

    with client(module, "postal") as api:
        number = dossier(9221)
        order = NewOrder(
            number=number,
            sender=Party(
                name="Trung tâm phục vụ hành chính công", phone="02580000000", province="56",
                address="Số 1, đường Trần Phú, Phường Nha Trang",
            ),
            receiver=Party(name="Nguyễn Văn An", phone="0900000000", province="01", address="Số 12, đường Lê Lợi"),
            cash_on_delivery=Cash(amount="150000", currency="VND"),
        )
        assert succeeded(orders_create.sync_detailed(client=api, body=order, **PURPOSE)).number == number

        query = {"client": api, "sender_province": "56", "receiver_province": "01", "weight": 700}
        plain = succeeded(orders_quote.sync_detailed(**query))
        with_cash = succeeded(orders_quote.sync_detailed(**query, cash_on_delivery="9000000"))
        assert int(with_cash.total.amount) > int(plain.total.amount)

        assert succeeded(orders_track.sync_detailed(number, client=api)).status == Status.ORDERED
        body = OrdersCancelBody(reason="Người dân nhận trực tiếp")
        assert orders_cancel.sync_detailed(number, client=api, body=body).status_code == 204


def payment(samples):
    import payment as module

    with client(module, "payment") as api:
        amount = Money(amount="150000", currency="VND")
        new = NewPayment(
            reference="REF-9231", amount=amount, description="Lệ phí đăng ký kết hôn",
            destination=Destination.AGENCY, channel=Channel.WEB,
            bill=Bill(
                agency="H56.14", agency_name="Ủy ban nhân dân Phường Nha Trang", dossier=dossier(9231),
                account=Account(number="0000000001", bank="SIMBANK", holder="Ủy ban nhân dân Phường Nha Trang"),
                payer=Payer(name="Nguyễn Văn An"),
                fees=[Fee(kind=FeeKind.CHARGE, code="LP01", name="Lệ phí đăng ký kết hôn", amount=amount)],
                lines=[],
            ),
        )
        started = succeeded(payments_initiate.sync_detailed(client=api, body=new, **PURPOSE))
        assert urlsplit(started.pay_at).scheme in ("http", "https")
        refused(payments_initiate.sync_detailed(client=api, body=new, **PURPOSE), 409, "already-exists")

        known = samples["payments"]
        queried = succeeded(payments_query.sync_detailed(known["paid"], client=api))
        assert queried.state == State.PAID and int(queried.amount.amount) > 0
        succeeded(payments_get_receipt.sync_detailed(known["paid"], client=api))
        day = datetime.datetime.strptime(known["paidOn"], "%Y%m%d").date()
        listed = succeeded(payments_reconcile.sync_detailed(day, client=api))
        assert listed.count == len(listed.payments)


def main():
    with open(os.environ["TRUC_SAMPLES"], encoding="utf-8") as file:
        samples = json.load(file)
    for call in (civil_status, land, insurance, postal, payment):
        call(samples)


main()
