//! What the synthetic citizens and their streets are called.

/// As often as in life: the commonest stand here several times.
pub(crate) const FAMILY_NAMES: &[&str] = &[
    "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn", "Nguyễn",
    "Nguyễn", "Nguyễn", "Nguyễn", "Trần", "Trần", "Trần", "Trần", "Lê", "Lê", "Lê", "Lê", "Phạm", "Phạm",
    "Phạm", "Hoàng", "Huỳnh", "Phan", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý",
    "Đinh", "Trịnh", "Mai",
];

pub(crate) const MALE_MIDDLE_NAMES: &[&str] = &[
    "Văn", "Văn", "Văn", "Hữu", "Đức", "Minh", "Quang", "Quốc", "Thanh", "Công", "Đình", "Xuân", "Ngọc",
    "Gia", "Anh", "Trọng",
];

pub(crate) const FEMALE_MIDDLE_NAMES: &[&str] = &[
    "Thị",
    "Thị",
    "Thị",
    "Thị",
    "Thị Thu",
    "Thị Ngọc",
    "Thị Thanh",
    "Ngọc",
    "Thu",
    "Thanh",
    "Minh",
    "Kim",
    "Phương",
    "Khánh",
];

pub(crate) const MALE_NAMES: &[&str] = &[
    "An", "Bình", "Cường", "Dũng", "Duy", "Đạt", "Đông", "Hải", "Hiếu", "Hòa", "Hoàng", "Hùng", "Huy",
    "Khang", "Khoa", "Kiên", "Lâm", "Long", "Lộc", "Nam", "Nghĩa", "Nhân", "Phong", "Phúc", "Quân", "Sơn",
    "Tài", "Tâm", "Thắng", "Thành", "Thịnh", "Toàn", "Trung", "Tuấn", "Việt", "Vinh",
];

pub(crate) const FEMALE_NAMES: &[&str] = &[
    "An",
    "Ánh",
    "Bích",
    "Chi",
    "Cúc",
    "Diệp",
    "Dung",
    "Duyên",
    "Giang",
    "Hà",
    "Hạnh",
    "Hiền",
    "Hoa",
    "Hồng",
    "Huệ",
    "Hương",
    "Lan",
    "Liên",
    "Linh",
    "Loan",
    "Mai",
    "My",
    "Nga",
    "Ngân",
    "Nhung",
    "Oanh",
    "Phượng",
    "Quyên",
    "Tâm",
    "Thảo",
    "Thủy",
    "Trang",
    "Trinh",
    "Tuyết",
    "Vân",
    "Yến",
];

/// Other groups than the Kinh, by their names in the ministry's list.
pub(crate) const ETHNIC_GROUPS: &[&str] =
    &["Tày", "Thái", "Mường", "Khơ-me", "Nùng", "HMông", "Dao", "Hoa", "Gia-rai", "Ê-đê"];

pub(crate) const STREETS: &[&str] = &[
    "Lê Lợi",
    "Trần Phú",
    "Nguyễn Huệ",
    "Hai Bà Trưng",
    "Lý Thường Kiệt",
    "Quang Trung",
    "Trần Hưng Đạo",
    "Nguyễn Trãi",
    "Lê Duẩn",
    "Hùng Vương",
    "Phan Chu Trinh",
    "Phan Bội Châu",
    "Nguyễn Du",
    "Lê Hồng Phong",
    "Ngô Quyền",
    "Võ Thị Sáu",
    "Điện Biên Phủ",
    "Bạch Đằng",
    "Hoàng Diệu",
    "Lạc Long Quân",
];
