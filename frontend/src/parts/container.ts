// The container of the first tables: uint32 LE header length H, H bytes of JSON {name: [offset, length]} padded so that
// 4 + H is a multiple of 8, then the tables, each starting 8-aligned, offsets counted from the end of the header.

/** Bytes in any of the forms in which hosts deliver them. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** A view of the same bytes, without a copy. */
export function bytesOf(data: Bytes): Uint8Array {
  if (data instanceof Uint8Array) return data;
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}

/** The same bytes starting at an 8-aligned offset; copied only where they do not (a host's DataView seldom does). */
export function aligned(data: Bytes): Uint8Array {
  const bytes = bytesOf(data);
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}

/** Splits a container into its tables, views into the same (aligned) bytes. Throws RangeError when it is damaged. */
export function parseContainer(data: Bytes): Map<string, Uint8Array> {
  const bytes = aligned(data);
  const tables = new Map<string, Uint8Array>();
  if (bytes.length === 0) return tables;
  if (bytes.length < 4) throw new RangeError("The container of tables is cut off.");
  const header = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const start = 4 + header;
  if (start > bytes.length) throw new RangeError("The container of tables is cut off.");
  const places = JSON.parse(new TextDecoder().decode(bytes.subarray(4, start))) as { [name: string]: [number, number] };
  for (const [name, [offset, length]] of Object.entries(places)) {
    if (!(offset >= 0 && length >= 0 && start + offset + length <= bytes.length)) {
      throw new RangeError(`Table "${name}" lies outside its container.`);
    }
    tables.set(name, bytes.subarray(start + offset, start + offset + length));
  }
  return tables;
}

/** Joins tables into a container; the inverse of `parseContainer`. */
export function buildContainer(tables: Map<string, Uint8Array>): Uint8Array {
  const places: { [name: string]: [number, number] } = {};
  let size = 0;
  for (const [name, table] of tables) {
    places[name] = [size, table.length];
    size += Math.ceil(table.length / 8) * 8;
  }
  const text = new TextEncoder().encode(JSON.stringify(places));
  const start = Math.ceil((4 + text.length) / 8) * 8;
  const out = new Uint8Array(start + size);
  new DataView(out.buffer).setUint32(0, start - 4, true);
  out.fill(32, 4, start);
  out.set(text, 4);
  for (const [name, table] of tables) out.set(table, start + (places[name]?.[0] ?? 0));
  return out;
}
