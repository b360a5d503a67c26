//! The land system's field names as places in the contract's requests.

/// What each name means, wherever it stands: `ThongTinThuaDat[0].SoThuTuThua` is `/parcels/0/number`.
const MEMBERS: &[(&str, &str)] = &[
    // Parcels and certificates.
    ("SoDinhDanh", "holder"),
    ("SoPhatHanh", "number"),
    ("XaId", "ward"),
    // A dossier.
    ("SoBienNhan", "code"),
    ("MaHoSoMotCua", "code"),
    ("LaQuyTrinhCapTinh", "level"),
    ("NguoiTiepNhan", "receivedBy"),
    ("NgayTiepNhan", "receivedAt"),
    ("NgayHenTra", "dueAt"),
    ("DiaChiTaiSan", "propertyAddress"),
    ("ThongTinNguoiNopDon", "applicant"),
    ("HoTen", "name"),
    ("SoChungMinh", "identityNumber"),
    ("DiaChiChiTiet", "address"),
    ("SoDienThoai", "phone"),
    ("Email", "email"),
    ("ThongTinQuyTrinh", "procedure"),
    ("MaQuyTrinh", "code"),
    ("TenQuyTrinh", "name"),
    ("ThongTinThuaDat", "parcels"),
    ("SoThuTuThua", "number"),
    ("SoHieuBanDo", "sheet"),
    ("DienTich", "area"),
    ("DanhSachGiayToDinhKem", "papers"),
    ("TenGiayTo", "name"),
    ("SoBanChinh", "originals"),
    ("SoBanSao", "copies"),
    ("TapTin", "file"),
    ("name", "name"),
    ("data", "content"),
    // A supplement, and the hand-over.
    ("NgayHenTraMoi", "dueAt"),
    ("GhiChu", "note"),
    ("DanhSachGiayToBoSung", "papers"),
    ("NgayTra", "handedOverAt"),
];

/// The JSON Pointer for a field of the system's, if it came from the request.
pub(crate) fn of(field: &str) -> Option<String> {
    let mut pointer = String::new();
    for step in field.split('.') {
        let (name, index) = match step.strip_suffix(']') {
            Some(step) => step.split_once('[').map(|(name, index)| (name, Some(index)))?,
            None => (step, None),
        };
        let (_, member) = MEMBERS.iter().find(|(known, _)| *known == name)?;
        pointer.push('/');
        pointer.push_str(member);
        if let Some(index) = index {
            pointer.push('/');
            pointer.push_str(index);
        }
    }
    Some(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_fields_are_found() {
        assert_eq!(of("NgayHenTra").as_deref(), Some("/dueAt"));
        assert_eq!(of("ThongTinNguoiNopDon.SoChungMinh").as_deref(), Some("/applicant/identityNumber"));
        assert_eq!(of("ThongTinThuaDat[0].SoThuTuThua").as_deref(), Some("/parcels/0/number"));
        let file = of("DanhSachGiayToBoSung[3].TapTin.data");
        assert_eq!(file.as_deref(), Some("/papers/3/file/content"));
        for unknown in ["", "TinhId", "ThongTinThuaDat[0].Khac", "ThongTinThuaDat0]"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }
}
