// Filters and sorts the table; everything is there without it.
(() => {
  const table = document.getElementById('fleet');
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const filter = document.getElementById('filter');
  const shown = document.getElementById('shown');
  filter.closest('p').hidden = false;
  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = `${count} of ${rows.length}`;
  };
  filter.addEventListener('input', show);
  show();
  const size = (text) => {
    const value = parseFloat(text);
    const unit = { k: 1e3, M: 1e6, G: 1e9 }[text.trim().slice(-1)] || 1;
    return Number.isNaN(value) ? -Infinity : value * unit;
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const descending = head.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      const text = (row) => row.cells[column].textContent;
      const compare = head.hasAttribute('data-number')
        ? (a, b) => size(text(a)) - size(text(b))
        : (a, b) => text(a).localeCompare(text(b));
      rows.sort((a, b) => (descending ? -compare(a, b) : compare(a, b)));
      body.append(...rows);
    });
  });
})();
