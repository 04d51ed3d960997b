// Unpacks what zlib has deflated (RFC 1951, without a header). Browsers have it too, but only as a promise, and a page that
// is printed the moment it is loaded waits for none.
"use strict";
const inflate = (packed, size) => {
  const out = new Uint8Array(size);
  let at = 0, bits = 0, held = 0, end = 0;

  const hold = (many) => {
    for (; held < many; held += 8) bits |= packed[at++] << held;
  };
  const take = (many) => {
    hold(many);
    const value = bits & ((1 << many) - 1);
    bits >>>= many;
    held -= many;
    return value;
  };

  // A Huffman code by its next 15 bits: the symbol, and in the last four bits how many of them it takes.
  const table = (lengths) => {
    const count = new Uint16Array(16), next = new Uint16Array(17), found = new Uint16Array(1 << 15);
    for (const length of lengths) if (length) count[length]++;
    for (let length = 1; length < 16; length++) next[length + 1] = (next[length] + count[length]) << 1;
    lengths.forEach((length, symbol) => {
      if (!length) return;
      let code = next[length]++, reversed = 0;
      for (let n = 0; n < length; n++, code >>= 1) reversed = (reversed << 1) | (code & 1);
      for (let place = reversed; place < found.length; place += 1 << length) found[place] = (symbol << 4) | length;
    });
    return found;
  };
  const read = (found) => {
    hold(15);
    const entry = found[bits & 0x7fff];
    bits >>>= entry & 15;
    held -= entry & 15;
    return entry >> 4;
  };

  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  const fixed = [...Array(288)].map((_, n) => (n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8));
  const tables = () => {
    const literals = take(5) + 257, distances = take(5) + 1, codes = take(4) + 4;
    const short = Array(19).fill(0);
    for (let n = 0; n < codes; n++) short[ORDER[n]] = take(3);
    const coded = table(short), lengths = [];
    while (lengths.length < literals + distances) {
      const symbol = read(coded);
      if (symbol < 16) lengths.push(symbol);
      else if (symbol === 16) lengths.push(...Array(take(2) + 3).fill(lengths.at(-1)));
      else lengths.push(...Array(symbol === 17 ? take(3) + 3 : take(7) + 11).fill(0));
    }
    return [table(lengths.slice(0, literals)), table(lengths.slice(literals))];
  };

  for (let last = 0; !last; ) {
    last = take(1);
    const kind = take(2);
    if (kind === 0) {
      at -= held >> 3; // to the whole byte
      bits = held = 0;
      const long = packed[at] | (packed[at + 1] << 8);
      out.set(packed.subarray(at + 4, at + 4 + long), end);
      at += 4 + long;
      end += long;
      continue;
    }
    const [literal, distance] = kind === 1 ? [table(fixed), table(Array(30).fill(5))] : tables();
    for (let symbol; (symbol = read(literal)) !== 256; ) {
      if (symbol < 256) {
        out[end++] = symbol;
        continue;
      }
      const n = symbol - 257;
      const long = n === 28 ? 258 : n < 8 ? n + 3 : (((n & 3) | 4) << ((n >> 2) - 1)) + 3 + take((n >> 2) - 1);
      const d = read(distance);
      const back = d < 4 ? d + 1 : (((d & 1) | 2) << ((d >> 1) - 1)) + 1 + take((d >> 1) - 1);
      for (const stop = end + long; end < stop; end++) out[end] = out[end - back];
    }
  }
  return out;
};
