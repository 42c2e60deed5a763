// One message and the bytes beside it as one block: the twin of pack_message in core/container.py.

import { type Bytes, buildContainer, bytesOf, parseContainer } from "../parts/container";

export function unpackMessage<T>(block: Bytes): { message: T; buffers: Uint8Array[] } {
  const tables = parseContainer(block);
  const buffers: Uint8Array[] = [];
  for (let at = 0; tables.has(String(at)); at++) buffers.push(tables.get(String(at)) as Uint8Array);
  return { message: JSON.parse(new TextDecoder().decode(tables.get("message"))) as T, buffers };
}

export function packMessage(message: unknown, buffers: Bytes[] = []): Uint8Array {
  const tables = new Map<string, Uint8Array>([["message", new TextEncoder().encode(JSON.stringify(message))]]);
  buffers.forEach((buffer, at) => tables.set(String(at), bytesOf(buffer)));
  return buildContainer(tables);
}
