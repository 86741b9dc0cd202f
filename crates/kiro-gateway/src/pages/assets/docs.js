// Swagger UI over the description of this gateway. Keys stay in the memory of the page.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  defaultModelsExpandDepth: 0,
  // It would ask a server of Swagger's about the description.
  validatorUrl: null,
});
