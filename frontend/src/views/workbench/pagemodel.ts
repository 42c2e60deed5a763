// The model that travelled with the view, and its background rows.

import { encodedMatrix, readTable } from "../../parts/arrow";
import { openModel, type PageModel } from "../../parts/page-model";
import { Explainer } from "../../parts/shapley";
import type { Rows } from "./rows";

export interface Page {
  readonly model: PageModel;
  readonly explainer: Explainer;
}

/** The page's own model, or null where the host keeps it. Throws when what came is damaged. */
export async function loadPage(rows: Rows): Promise<Page | null> {
  const { page_model: about, background, outputs, columns } = rows.meta;
  if (about.kind === "none") return null;
  const [bytes, around] = await Promise.all([rows.fetch(about.table || "model"), rows.fetch(background.table || "background")]);
  if (!bytes || !around) return null;
  const model = openModel(bytes, outputs.length);
  const matrix = encodedMatrix(readTable(around), columns.map((c) => c.kind === "categorical"));
  return { model, explainer: new Explainer(model, matrix) };
}
