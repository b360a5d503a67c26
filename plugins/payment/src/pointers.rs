//! The platform's field names as places in the contract's requests.

/// What each name means, wherever it stands: `ThongTinBienLai.PhiLePhi[0].SoTien` is `/bill/fees/0/amount/amount`.
const MEMBERS: &[(&str, &str)] = &[
    ("MaThamChieu", "reference"),
    ("NgayDoiSoat", "day"),
    ("SoTien", "amount/amount"),
    ("MaTienTe", "amount/currency"),
    ("LoaiHinhThanhToan", "destination"),
    ("MaKenhThanhToan", "channel"),
    ("NgonNgu", "language"),
    ("MaNganHang", "bank"),
    ("ThongTinGiaoDich", "description"),
    ("ThongTinBienLai", "bill"),
    ("MaDonVi", "agency"),
    ("TenDonVi", "agencyName"),
    ("MaHoSo", "dossier"),
    ("MaDVC", "service/code"),
    ("TenDVC", "service/name"),
    ("MaTTHC", "procedure/code"),
    ("TenTTHC", "procedure/name"),
    ("TKThuHuong", "account/number"),
    ("MaNHThuHuong", "account/bank"),
    ("TenTKThuHuong", "account/holder"),
    ("HoTenNguoiNop", "payer/name"),
    ("SoCMNDNguoiNop", "payer/id"),
    ("PhiLePhi", "fees"),
    ("LoaiPhiLePhi", "kind"),
    ("MaPhiLePhi", "code"),
    ("TenPhiLePhi", "name"),
    ("DSKhoanNop", "lines"),
    ("NoiDung", "contents"),
];

/// The JSON Pointer for a field of the platform's, if it came from the request.
pub(crate) fn of(field: &str) -> Option<String> {
    let mut pointer = String::new();
    for step in field.split('.') {
        let (name, index) = match step.strip_suffix(']') {
            Some(step) => step.split_once('[').map(|(name, index)| (name, Some(index)))?,
            None => (step, None),
        };
        let (_, member) = MEMBERS.iter().find(|(known, _)| *known == name)?;
        for part in [Some(*member), index].into_iter().flatten() {
            pointer.push('/');
            pointer.push_str(part);
        }
    }
    Some(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_fields_are_found() {
        assert_eq!(of("MaThamChieu").as_deref(), Some("/reference"));
        assert_eq!(of("ThongTinBienLai.HoTenNguoiNop").as_deref(), Some("/bill/payer/name"));
        let amount = of("ThongTinBienLai.PhiLePhi[2].SoTien");
        assert_eq!(amount.as_deref(), Some("/bill/fees/2/amount/amount"));
        for unknown in ["", "MaThietBi", "ThongTinBienLai.MaDichVu", "PhiLePhi2]"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }
}
