"""The retriever: corpus -> vectors -> index -> service.

`build.build_index` writes an index folder, `local.open_index` opens it in this process, `service.retriever_app` serves
it on Ray Serve with `client.ServiceSearch` as its client, and `tool.search_tool` is what the agent's code calls.
"""
