// What stands on a page that is wider than its window or too faint to read (WCAG 2.2, 1.4.10 and 1.4.3), leads nowhere,
// or has no label or language. The body of a function that WebDriver runs; it returns a line for each fault.
const faults = [];
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) {
    faults.push(`the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);
}
if (!['vi', 'en'].includes(root.lang)) faults.push('the page says no language');
if (document.querySelectorAll('h1').length !== 1) faults.push('there is not exactly one h1');
if (document.querySelector('[style], style, [onclick]')) faults.push('there is inline style or script');
const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`the id ${id} stands twice`);
for (const link of document.querySelectorAll('a[href^="#"]')) {
    if (!document.getElementById(decodeURIComponent(link.hash.slice(1)))) faults.push(`${link.hash} leads nowhere`);
}
for (const field of document.querySelectorAll('input, select, textarea')) {
    if (field.labels.length === 0) faults.push(`a field ${field.name} has no label`);
}
const parts = (color) => color.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
        const color = parts(getComputedStyle(at).backgroundColor);
        if (color[3] === undefined || color[3] === 1) return color;
    }
    return [255, 255, 255];
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = new Set();
while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || seen.has(element)) continue;
    seen.add(element);
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const style = getComputedStyle(element);
    const [ink, ground] = [luminance(parts(style.color)), luminance(paper(element))];
    const contrast = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    if (contrast < 4.5) {
        const text = texts.currentNode.data.trim().slice(0, 40);
        faults.push(`${element.tagName}.${element.className} "${text}" has a contrast of ${contrast.toFixed(2)}`);
    }
}
return [...new Set(faults)].slice(0, 20);
