// The description of the API is what OpenAPI 3.1 allows, in the eyes of a validator that nobody here wrote.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Validator } from "@seriousme/openapi-schema-validator";

import { description } from "./support.mjs";

test("the description is OpenAPI 3.1", async () => {
  const validator = new Validator();
  const result = await validator.validate(await description());
  assert.ok(result.valid, JSON.stringify(result.errors, null, 2));
  assert.equal(validator.version, "3.1");
});

test("the validator finds a mistake", async () => {
  const document = await description();
  document.paths["/v1/models"].get.responses["200"].content = "text";
  assert.equal((await new Validator().validate(document)).valid, false);
});
